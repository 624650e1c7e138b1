//! T-28, T-30, T-33 to T-36, T-38: who starts an M, how many, and with what.
//! T-29 is beside the counts, in `idle.rs`.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};

use gmp_reactor::{Direction, Drained, Registered};

use super::kit::{RULES, World};
use crate::m::M;
use crate::ready;
use crate::sched::Rules;

/// The P of each M and whether it spins.
fn as_started(ms: &[M]) -> Vec<(u32, bool)> {
    ms.iter()
        .map(|m| (m.must_p().id, m.spinning.get()))
        .collect()
}

/// Rule R-SPIN-2, T-28: while the started M is held back nobody starts another;
/// released, each one that finds work starts the next.
#[test]
fn t28_a_hundred_wakes_start_one_m_and_that_one_the_next() {
    const PROCS: u32 = 8;
    for rules in RULES {
        let world = World::new(rules, PROCS);
        let m = world.m();
        world.park_ms(PROCS as usize);
        let mut wakers: Vec<_> = (0..100).map(|id| world.parked_g(&m, id)).collect();
        let waker = world.task(1000, move |_| {
            for waker in wakers.drain(..) {
                waker.wake();
            }
            Poll::Ready(())
        });
        world.execute(&m, waker);
        let mut busy = vec![m];
        for n in 2..=PROCS {
            let started = world.started();
            assert_eq!(as_started(&started), [(n - 1, true)], "{rules:?}");
            assert_eq!(world.counts().spinning, 1);
            assert_eq!(world.rounds(&started[0], 1).len(), 1);
            assert!(!started[0].spinning.get());
            busy.extend(started);
        }
        assert!(world.started().is_empty());
        assert_eq!(world.counts().spinning, 0);
        assert_eq!(world.counts().idle, 0);
    }
}

/// Rule R-SPIN-4, T-30: down first, then the wake-up, which would not come if
/// the finder still counted. Source: Go's resetspinning.
#[test]
fn t30_a_spinner_that_finds_work_passes_the_baton() {
    for rules in RULES {
        let world = World::new(rules, 3);
        let ms = [world.m(), world.m()];
        world.park_ms(2);
        world.fill(ms[0].must_p(), 0..2);
        ms[1].spinning.set(true);
        world.sched.idle.become_spinning();
        assert_eq!(world.rounds(&ms[1], 1), [0]);
        assert!(!ms[1].spinning.get());
        assert_eq!(as_started(&world.started()), [(2, true)]);
        assert_eq!(world.counts().spinning, 1);
    }
}

/// Rule R-SPIN-9, T-33. Source: Go's injectglist.
#[test]
fn t33_without_a_p_all_go_to_the_global_queue() {
    for rules in RULES {
        let world = World::new(rules, 4);
        let _busy = [world.m(), world.m()];
        world.park_ms(5);
        ready::inject_glist(&world.sched, None, world.gs(1..=5).into_iter());
        assert_eq!(as_started(&world.started()), [(2, false), (3, false)]);
        assert_eq!(world.counts().spinning, 0);
        assert_eq!(world.drain_global(), [1, 2, 3, 4, 5]);
    }
}

/// Rules R-SPIN-9 and L-9, T-33: one M a task. The default rules add a spinning
/// one, as Go does now; Go 1.17 does not.
#[test]
fn t33_one_m_for_one_task() {
    for rules in RULES {
        let world = World::new(rules, 4);
        let _busy = world.m();
        world.park_ms(4);
        ready::inject_glist(&world.sched, None, world.gs([1]).into_iter());
        let started = as_started(&world.started());
        match rules {
            Rules::Go117 => assert_eq!(started, [(1, false)]),
            Rules::Default => assert_eq!(started, [(1, false), (2, true)]),
        }
        assert_eq!(world.drain_global(), [1]);
    }
}

/// Rule R-SPIN-9, T-34: as many as there are idle Ps are spread, the rest stays.
#[test]
fn t34_with_a_p_the_rest_stays_in_its_ring() {
    const NEXT: u64 = 100;
    for rules in RULES {
        let world = World::new(rules, 4);
        let ms = [world.m(), world.m()];
        let pp = ms[0].must_p();
        world.park_ms(5);
        world.put(pp, world.g(NEXT), true);
        ready::inject_glist(&world.sched, Some(pp), world.gs(1..=5).into_iter());
        assert_eq!(as_started(&world.started()), [(2, false), (3, false)]);
        assert_eq!(world.counts().spinning, 0);
        assert_eq!(world.drain_global(), [1, 2]);
        assert_eq!(world.drain(pp), (Some(NEXT), vec![3, 4, 5]));
    }
}

/// Rules R-SPIN-9 and R-RUNQ-5, T-35.
#[test]
fn t35_a_long_list_on_a_busy_runtime() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let pp = ms[0].must_p();
        ready::inject_glist(&world.sched, Some(pp), world.gs(0..300).into_iter());
        assert_eq!(world.drain(pp), (None, (0..256).collect()));
        assert_eq!(world.drain_global(), (256..300).collect::<Vec<_>>());
    }
}

/// Rule R-SPIN-9, T-36: a wake from a thread that is no M.
#[test]
fn t36_a_foreign_wake_goes_through_the_global_queue() {
    for rules in RULES {
        let world = World::new(rules, 4);
        let m = world.m();
        let waker = world.parked_g(&m, 7);
        let pp = m.release_p();
        world.sched.lock().pidle_put(pp);
        world.park_ms(4);
        std::thread::scope(|scope| {
            scope.spawn(|| waker.wake_by_ref());
        });
        assert_eq!(world.sched.injector.len(), 1);
        let started = world.started();
        assert_eq!(as_started(&started), [(0, true)]);
        assert_eq!(world.rounds(&started[0], 1), [7]);
    }
}

/// Rules R-G-8 and R-SPIN-2, T-38: many wakes of one task, one place in a queue.
/// A task that is alone in `runnext` starts nobody in the default rules.
#[test]
fn t38_a_thousand_wakes_queue_once() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let m = world.m();
        world.park_ms(2);
        let parked = world.parked_g(&m, 7);
        let waker = world.task(8, move |_| {
            for _ in 0..1000 {
                parked.wake_by_ref();
            }
            Poll::Ready(())
        });
        world.execute(&m, waker);
        assert_eq!(world.drain(m.must_p()), (Some(7), vec![]));
        assert_eq!(world.drain_global(), []);
        let started = as_started(&world.started());
        match rules {
            Rules::Go117 => assert_eq!(started, [(1, true)]),
            Rules::Default => assert_eq!(started, []),
        }
    }
}

/// Rule L-3: work that found no idle P turns the next dropper into a searcher.
#[test]
fn r_spin_11_need_spinning_is_noted_under_the_lock() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        assert!(world.sched.lock().pidle_get_spinning().is_none());
        assert!(world.sched.idle.need_spinning());
        world.sched.idle.become_spinning();
        assert!(!world.sched.idle.need_spinning());
        drop(m);
    }
}

/// Rules R-SPIN-6 and R-P-3, T-39: an M that finds nothing leaves its P on the
/// idle list and no count behind.
#[test]
fn t39_a_spinner_that_gives_up_is_counted_down() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let m = world.m();
        m.spinning.set(true);
        world.sched.idle.become_spinning();
        // Woken without a P, it ends instead of sleeping.
        m.shared.start_with(None, false);
        assert!(!world.on(&m, || crate::proc::round(&m)));
        assert!(m.p().is_none() && !m.spinning.get());
        let counts = world.counts();
        assert_eq!((counts.idle, counts.spinning), (2, 0));
        assert_eq!(world.sched.lock().idle_ps(), 2);
        assert!((0..2).all(|id| world.sched.idlep_mask.read(id)));
    }
}

/// A task that reads one byte, and the other end. It waits for it.
pub(super) fn reader(world: &World, m: &M, id: u64) -> UnixStream {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    here.set_nonblocking(true).expect("a mode of sockets");
    let here = Registered::new(&world.sched.reactor, here).expect("a reactor takes a socket");
    let read = move |cx: &mut Context<'_>| {
        let read = || Ok((here.get_ref().read(&mut [0])?, Drained::No));
        let poll = here.source().poll_io(Direction::Read, cx, read);
        poll.map(|read| assert!(matches!(read, Ok(1))))
    };
    assert_eq!(world.execute(m, world.task(id, read)), [id]);
    there
}

/// Rule R-POLL-13: where the poller has its turn beside the global queue, a P that
/// has nothing else runs what it finds, and no M is woken only to find the queues
/// empty and to sleep in the poller, from where each event then wakes it.
#[test]
fn a_lone_event_wakes_no_other_m() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let m = world.m();
        world.park_ms(1);
        let mut peer = reader(&world, &m, 1);
        peer.write_all(b"1").expect("room in the socket");
        assert_eq!(world.rounds(&m, 1), [1]);
        assert!(world.started().is_empty(), "{rules:?}");

        let mut peers = [reader(&world, &m, 2), reader(&world, &m, 3)];
        for peer in &mut peers {
            peer.write_all(b"1").expect("room in the socket");
        }
        world.set_tick(m.must_p(), 61);
        world.rounds(&m, 1);
        assert_eq!(
            world.started().len(),
            1,
            "two are more than one P runs at once"
        );
    }
}
