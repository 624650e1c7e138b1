//! Where work is looked for, in which order, and who has a P meanwhile.

use std::future::pending;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Wake, Waker};

use gmp_reactor::{Direction, Drained, Registered};
use gmp_timers::Timer;

use super::kit::{RULES, World};
use super::spin::reader;
use crate::g::ReadyG;
use crate::m::{self, M};
use crate::p::{PIDLE, PRUNNING};
use crate::proc::work_exists;
use crate::ready::runqput;
use crate::sched::{Rules, Sched};
use crate::sync::{Arc, Mutex, Ordering, lock};
use crate::{Builder, netpoll};

const A: u64 = 1;
const B: u64 = 2;

/// Rules R-P-1 and R-P-2: a P is an M's or idle, both know of each other, and who takes
/// one against the rules is told.
#[test]
fn a_p_goes_from_hand_to_hand() {
    let world = World::new(Rules::Default, 2);
    let m = world.m();
    let pp = m.must_p();
    let status = || pp.status.load(Ordering::Relaxed); // ord: one thread
    let links = || {
        let of_m = m.shared.p.load(Ordering::Relaxed); // ord: one thread
        (of_m, pp.m.load(Ordering::Relaxed)) // ord: one thread
    };
    assert_eq!(
        (status(), links()),
        (PRUNNING, (pp.id + 1, m.shared.id + 1))
    );
    let other = world.sched.lock().pidle_get().expect("one more");
    let panics = |wrong: &dyn Fn()| catch_unwind(AssertUnwindSafe(wrong)).is_err();
    assert!(panics(&|| m.acquire_p(other)), "it has one");
    world.sched.lock().pidle_put(m.release_p());
    assert_eq!((status(), links()), (PIDLE, (0, 0)));
    assert!(panics(&|| _ = m.release_p()), "it has none");
}

/// Rule R-SCHED-2: what the netpoller has comes before what another P has.
#[test]
fn an_event_goes_before_a_steal() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let mut peer = reader(&world, &ms[0], A);
        world.fill(ms[1].must_p(), [B]);
        peer.write_all(b"1").expect("room in the socket");
        world.set_tick(ms[0].must_p(), 1);
        assert_eq!(world.rounds(&ms[0], 2), [A, B], "{rules:?}");
    }
}

/// Rules R-SCHED-6 and R-SPIN-8, L-5: the second look of a dropper sees the global queue,
/// the rings, `runnext` and the heaps. The queue of an idle P is empty and is not read.
#[test]
fn every_source_of_work_is_seen() {
    for rules in RULES {
        let world = World::new(rules, 3);
        let ms = [world.m(), world.m()];
        let sched = &world.sched;
        let pp = ms[1].must_p();
        assert!(!work_exists(sched));
        sched.injector.push(world.g(A));
        assert!(work_exists(sched));
        assert_eq!(world.drain_global(), [A]);
        for next in [false, true] {
            assert!(!work_exists(sched));
            world.put(pp, world.g(A), next);
            assert!(work_exists(sched), "{next}");
            world.drain(pp);
        }
        world.park_ms(1);
        let timer = Timer::new();
        let far = sched.nanotime() + 3_600_000_000_000;
        sched.arm_somewhere(&timer, far, Waker::noop());
        assert_eq!(sched.earliest_timer(), far);
        timer.stop();
        world.started();
    }
}

/// Rule R-SPIN-12: a task that is woken goes to the P of whoever wakes it, wherever it
/// ran before.
#[test]
fn no_task_is_sent_to_a_thread() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let waker = world.parked_g(&ms[0], A);
        world.on(&ms[1], || waker.wake());
        assert_eq!(world.drain(ms[0].must_p()), (None, vec![]));
        assert_eq!(world.drain(ms[1].must_p()), (Some(A), vec![]));
    }
}

/// A waker that is no task's: the netpoller calls it.
struct Foreign(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        if let Some(call) = lock(&self.0).take() {
            call();
        }
    }
}

/// An event that is there, at which the netpoller calls `call`.
fn at_event(world: &World, call: impl FnOnce() + Send + 'static) -> impl Sized {
    let (here, mut there) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    let here = Registered::new(&world.sched.reactor, here).expect("a reactor takes a socket");
    let waker = Waker::from(Arc::new(Foreign(Mutex::new(Some(Box::new(call))))));
    let blocked = || Err::<((), Drained), _>(std::io::ErrorKind::WouldBlock.into());
    let mut cx = Context::from_waker(&waker);
    let poll = here.source().poll_io(Direction::Read, &mut cx, blocked);
    assert!(poll.is_pending());
    there.write_all(b"1").expect("room in the socket");
    (here, there)
}

/// Rules R-POLL-7 and L-17: `lastpoll` is 0 while somebody blocks and a time otherwise,
/// which looks in passing leave alone; the clock is read anew after the sleep.
#[test]
fn lastpoll_says_whether_somebody_blocks() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let lastpoll = |sched: &Sched| sched.lastpoll.load(Ordering::Relaxed); // ord: one thread
        let begun = lastpoll(&world.sched);
        assert_ne!(begun, 0);
        assert!(world.on(&m, || netpoll::poll_now(&m)).is_empty());
        assert_eq!(lastpoll(&world.sched), begun);

        let sched = world.sched.clone();
        let seen: Arc<Mutex<Option<u64>>> = Arc::default();
        let _socket = at_event(&world, {
            let seen = seen.clone();
            move || *lock(&seen) = Some(lastpoll(&sched))
        });
        let before = m.now();
        std::thread::sleep(std::time::Duration::from_millis(1));
        world.sched.lock().pidle_put(m.release_p());
        let list = world.on(&m, || netpoll::block(&m, 0));
        assert!(list.is_some_and(|list| list.is_empty()));
        assert_eq!(*lock(&seen), Some(0));
        assert!(lastpoll(&world.sched) > begun);
        assert!(m.now() > before, "an hour may have passed");
    }
}

/// Rule L-1: the 61st tick is the global queue's in each pass of a search, also where the
/// first one found nothing; Go 1.17 looks there in the first pass alone.
#[test]
fn the_61st_tick_outlasts_a_search() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m: M = world.m();
        let (sched, global, local): (_, ReadyG, ReadyG) =
            (world.sched.clone(), world.g(A), world.g(B));
        let _socket = at_event(&world, move || {
            sched.injector.push(global);
            m::with_current(|m| {
                m.expect("an M polls")
                    .with_p(|pp| runqput(&sched, pp.expect("with its P"), local, false));
            });
        });
        world.set_tick(m.must_p(), 61);
        m.net_tick.set(61);
        let order = match rules {
            Rules::Go117 => [B, A],
            Rules::Default => [A, B],
        };
        assert_eq!(world.rounds(&m, 2), order, "{rules:?}");
    }
}

/// Rule R-G-15: the runtime's own tasks, the roots of `block_on`, are not counted.
#[test]
fn a_root_is_no_task() {
    let rt = Builder::new().procs(1).build().expect("a runtime");
    let counted = rt.block_on(async {
        let before = rt.handle().num_tasks();
        let task = rt.spawn(pending::<()>());
        let after = rt.handle().num_tasks();
        task.abort();
        (before, after)
    });
    assert_eq!(counted, (0, 1));
}
