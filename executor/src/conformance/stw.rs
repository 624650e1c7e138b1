//! T-55, T-82 and T-83: Ps that go while somebody uses them.

use std::task::Poll;

use super::kit::{RULES, World};
use crate::m::{self, M};
use crate::p::{PGCSTOP, PRUNNING};
use crate::stw::{gcstop_m, stop_the_world, take_p};
use crate::sync::{Ordering, lock};
use crate::syscall::block_in_place;

const A: u64 = 1;
const X: u64 = 9;

/// Rule R-SYSCALL-4, T-55: whoever comes back from a blocking section without its P
/// goes on to the end of its poll; then the task goes to the tail of the global
/// queue, and its M runs it at once only if a P is idle, in a slice of its own.
#[test]
fn t55_a_return_without_the_p() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        world.sched.injector.push(world.g(X));
        let (sched, shared) = (world.sched.clone(), m.shared.clone());
        let mut polls = 0;
        let a = world.task(A, move |cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            let taken = block_in_place(|| {
                let _world = lock(&sched.world);
                take_p(&sched, &shared).map(|pp| pp.id)
            });
            assert_eq!(taken, Some(0), "a section keeps no P from a taker");
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let ticks = pp.tick_now();
        assert_eq!(world.execute(&m, a), [A]);
        assert!(m.p().is_none(), "it came back without a P");
        assert_eq!(world.sched.injector.len(), 2);
        // The P is idle again: the M takes it, and what was first is first.
        world.sched.lock().pidle_put(pp);
        assert_eq!(world.rounds(&m, 1), [X]);
        assert_eq!(world.rounds(&m, 1), [A]);
        assert_eq!(pp.tick_now(), ticks + 2, "no slice was inherited");
    }
}

/// Rules R-STW-1 to R-STW-3, T-82: the stopper has its own P, takes the one of a
/// blocking section and the idle ones, and waits for the one that runs.
#[test]
fn t82_a_stop_collects_every_p() {
    for rules in RULES {
        let world = World::new(rules, 4);
        let stopper = world.m();
        let runner = {
            let sched = world.sched.clone();
            let (tell, told) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                let m = M::new(sched.clone(), m::attach(&sched), false);
                assert!(m.try_acquire_idle());
                tell.send(m.must_p().id).expect("the test listens");
                while !sched.stop_is_wanted() {
                    std::thread::yield_now();
                }
                // The others are collected before it comes to its check.
                while sched.lock().inner.stopwait > 1 {
                    std::thread::yield_now();
                }
                gcstop_m(&m);
                assert!(m.p().is_none());
            });
            assert_eq!(told.recv().expect("a P is idle"), 1);
            thread
        };
        let blocked = world.m();
        blocked.shared.syscalls.store(1, Ordering::Relaxed); // ord: one thread
        blocked.shared.fence.begin_poll();
        world.park_ms(1);
        let stopped = world.on(&stopper, || stop_the_world(&world.sched));
        assert_eq!(world.sched.lock().inner.stopwait, 0);
        for id in 0..4 {
            assert_eq!(world.sched.p(id).status(), PGCSTOP, "P{id}, {rules:?}");
        }
        assert!(!blocked.shared.fence.end_poll(), "its P is gone");
        blocked.forget_p();
        runner.join().expect("no panic");
        world.on(&stopper, || drop(stopped));
        assert_eq!(stopper.must_p().status(), PRUNNING);
        assert_eq!(world.started().len(), 1, "the start wakes somebody");
    }
}

/// Rules R-P-10 and R-TIMER-12, T-83: what the Ps that go had is at the head of the
/// global queue, each in its own order, `runnext` first; their timers go to a P that
/// stays.
#[test]
fn t83_ps_that_go_leave_their_work_in_order() {
    let [a, b, c, d, e] = [1, 2, 3, 4, 5];
    for rules in RULES {
        let world = World::new(rules, 4);
        let m = world.m();
        let (p2, p3) = (world.sched.p(2), world.sched.p(3));
        world.fill(p2, [b, c]);
        world.put(p2, world.g(a), true);
        world.fill(p3, [e]);
        world.put(p3, world.g(d), true);
        world.sched.injector.push(world.g(X));
        let timers = [gmp_timers::Timer::new(), gmp_timers::Timer::new()];
        let far = world.sched.nanotime() + 3_600_000_000_000;
        for (timer, pp) in timers.iter().zip([p2, p3]) {
            pp.timers.add(timer, far, std::task::Waker::noop());
        }
        world.park_ms(1);
        world.on(&m, || {
            let mut stopped = stop_the_world(&world.sched);
            stopped.set_procs(2);
            drop(stopped);
        });
        assert_eq!(world.sched.procs(), 2);
        let started = world.started();
        assert_eq!(world.drain_global(), [d, e, a, b, c, X], "{rules:?}");
        assert_eq!(world.sched.p(0).timers.len(), 2);
        assert_eq!(p2.timers.len() + p3.timers.len(), 0);
        drop(started);
    }
}
