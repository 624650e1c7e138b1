//! T-40, T-43 to T-47: giving way by wish and on request; what sysmon sees.

use std::os::unix::net::UnixStream;
use std::panic::{self, Location};
use std::task::{Context, Poll, Waker};

use gmp_reactor::Registered;

use super::kit::{RULES, World};
use crate::g::ReadyG;
use crate::leaf;
use crate::m;
use crate::preempt::{preempt_one, wanted};
use crate::probe::WaitReason;
use crate::sched::Rules;
use crate::sync::{Arc, AtomicU32, Mutex, Ordering, lock};
use crate::syscall::block_in_place;
use crate::sysmon::Sysmon;

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
const D: u64 = 4;
const X: u64 = 9;

/// Rules R-G-10 and R-G-11, T-40: a yielder goes behind everybody, a goyielder
/// behind its own P's tasks. Source: Go's Gosched, goyield.
#[test]
fn t40_gosched_and_goyield() {
    type GiveWay = fn(&mut Context<'_>);
    let table: [(GiveWay, [u64; 4]); 2] =
        [(leaf::gosched, [B, C, D, A]), (leaf::goyield, [B, C, A, D])];
    for rules in RULES {
        for (give_way, order) in table {
            let world = World::new(rules, 1);
            let m = world.m();
            let pp = m.must_p();
            world.set_tick(pp, 1);
            let mut yielded = false;
            let a = world.task(A, move |cx| {
                if std::mem::replace(&mut yielded, true) {
                    return Poll::Ready(());
                }
                give_way(cx);
                Poll::Pending
            });
            world.put(pp, a, true);
            world.fill(pp, [B, C]);
            world.sched.injector.push(world.g(D));
            assert_eq!(world.rounds(&m, 1), [A]);
            assert_eq!(world.rounds(&m, 4), order, "{rules:?}");
        }
    }
}

/// Whom a task wakes within `waking_last` goes behind the others, or is the next one
/// if there is no other; after a panic all is as before.
#[test]
fn the_receiver_of_many_runs_after_them() {
    fn sender(world: &World, id: u64, receiver: &Waker, last: bool) -> ReadyG {
        let receiver = receiver.clone();
        world.task(id, move |_| {
            if last {
                leaf::waking_last(|| receiver.wake_by_ref());
                let caught = panic::catch_unwind(|| {
                    leaf::waking_last(|| panic::resume_unwind(Box::new("caught below")))
                });
                assert!(caught.is_err());
                assert!(m::with_current(|m| m.unwrap().manner.get().is_usual()));
            } else {
                receiver.wake_by_ref();
            }
            Poll::Ready(())
        })
    }
    for rules in RULES {
        for (last, order) in [(false, [A, X, B, C]), (true, [A, B, C, X])] {
            let world = World::new(rules, 1);
            let m = world.m();
            let pp = m.must_p();
            world.set_tick(pp, 1);
            let receiver = world.parked_g(&m, X);
            for id in [A, B, C] {
                world.put(pp, sender(&world, id, &receiver, last), false);
            }
            assert_eq!(world.rounds(&m, 4), order, "{rules:?}");
            let receiver = world.parked_g(&m, X);
            world.put(pp, sender(&world, A, &receiver, last), false);
            assert_eq!(world.rounds(&m, 1), [A]);
            assert_eq!(world.drain(pp), (Some(X), vec![]), "{rules:?}");
        }
    }
}

/// Rule R-PREEMPT-3, T-44: to the tail of the global queue, never the ring.
#[test]
fn t44_a_preempted_task_goes_to_the_global_tail() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        world.sched.injector.push(world.g(X));
        let shared = m.shared.clone();
        let sched = world.sched.clone();
        let hog = world.task(A, move |cx| {
            preempt_one(sched.p(0), &shared);
            leaf::poll_check(cx)
        });
        world.execute(&m, hog);
        assert_eq!(world.sched.preemptions.get(), 1);
        assert_eq!(world.drain(pp), (None, vec![]));
        assert_eq!(world.drain_global(), [X, A]);
    }
}

/// A future starts its poll again where a goroutine goes on, so one that is asked
/// before its leaf in every poll still gets past the leaf, and to the one beside
/// it; a loop over ready leaves passes one check more and gives way.
#[test]
fn a_task_that_is_always_asked_still_gets_on() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let shared = m.shared.clone();
        let sched = world.sched.clone();
        let (log, seen) = (Arc::new(Mutex::new(vec![])), |log: &Mutex<Vec<_>>| {
            std::mem::take(&mut *lock(log))
        });
        let writer = log.clone();
        let mut polls = 0;
        let slow = world.task(A, move |cx| {
            polls += 1;
            preempt_one(sched.p(0), &shared); // the way to the first leaf took a slice
            let mut leaf = |name: &'static str| {
                if leaf::poll_check(cx).is_pending() {
                    return false;
                }
                lock(&writer).push((polls, name));
                true
            };
            if !leaf("waits") {
                return Poll::Pending;
            }
            leaf::park(WaitReason::Sleep, Location::caller());
            // The timer beside it, then a loop over what is ready.
            let _looped = leaf("timer") && leaf("ready") && leaf("ready");
            Poll::Pending
        });
        world.execute(&m, slow);
        assert_eq!(seen(&log), [], "{rules:?}");
        assert_eq!(world.rounds(&m, 1), [A]);
        assert_eq!(seen(&log), [(2, "waits"), (2, "timer")], "{rules:?}");
        assert_eq!(world.sched.preemptions.get(), 2);
    }
}

/// Rules R-PREEMPT-3 and 7, T-43: a request that was answered is over: what waits
/// in the ring is next, not the hog itself, which would be the head of the global
/// queue.
#[test]
fn t43_the_ring_is_next_after_a_hog_that_gave_way() {
    for rules in RULES {
        for (inherits, with_runnext) in [(false, false), (false, true), (true, true)] {
            let world = World::new(rules, 1);
            let m = world.m();
            let pp = m.must_p();
            let shared = m.shared.clone();
            let sched = world.sched.clone();
            let hog = world.task(A, move |cx| {
                preempt_one(sched.p(0), &shared);
                leaf::poll_check(cx)
            });
            world.set_tick(pp, 1);
            world.put(pp, hog, inherits);
            world.fill(pp, [B]);
            assert_eq!(world.rounds(&m, 1), [A]);
            let order = if with_runnext {
                world.put(pp, world.g(C), true);
                vec![C, B, A]
            } else {
                vec![B, A]
            };
            assert_eq!(world.rounds(&m, order.len()), order, "{rules:?}");
        }
    }
}

/// Rules R-SYSMON-3 and R-PREEMPT-6, T-43: a slice lasts from the look at which
/// sysmon saw it begin, also that of a P's first task, and the request comes again
/// at each look until the next slice begins.
#[test]
fn t43_sysmon_asks_after_a_slice() {
    const SLICE: u64 = 10_000_000;
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let mut sysmon = Sysmon::new(world.sched.clone());
        // The clock has run for long, and the P's tick is 0.
        let start = world.sched.real_nanotime() + 100 * SLICE;
        let asked: Arc<Mutex<Vec<bool>>> = Arc::default();
        let sched = world.sched.clone();
        let task = world.task(A, {
            let asked = asked.clone();
            let m = m.shared.clone();
            move |_| {
                for after in [0, SLICE - 1, SLICE, SLICE + 1] {
                    sysmon.retake(start + after);
                    let pp = sched.p(0);
                    lock(&asked).push(wanted() && pp.preempt.swap(false, Ordering::Relaxed)); // ord: one thread
                    m.stackguard0.store(0, Ordering::Relaxed); // ord: one thread
                }
                // A new slice began, and the next look sees it.
                sched.p(0).tick();
                sysmon.retake(start + 2 * SLICE);
                lock(&asked).push(wanted());
                Poll::Ready(())
            }
        });
        world.execute(&m, task);
        assert_eq!(
            *lock(&asked),
            [false, false, true, true, false],
            "{rules:?}"
        );
    }
}

/// Rule L-28: whoever blocks is not asked to give way; it could not answer.
#[test]
fn a_blocking_section_is_not_asked() {
    const SLICE: u64 = 10_000_000;
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let mut sysmon = Sysmon::new(world.sched.clone());
        let start = world.sched.real_nanotime();
        let (sched, asked) = (world.sched.clone(), Arc::<Mutex<Vec<bool>>>::default());
        let task = world.task(A, {
            let asked = asked.clone();
            move |_| {
                let mut look = |after| {
                    sysmon.retake(start + after);
                    lock(&asked).push(sched.p(0).preempt.load(Ordering::Relaxed)); // ord: one thread
                };
                block_in_place(|| look(0));
                block_in_place(|| look(SLICE));
                look(SLICE + 1);
                Poll::Ready(())
            }
        });
        world.execute(&m, task);
        assert_eq!(*lock(&asked), [false, false, true], "{rules:?}");
    }
}

/// Rule R-SYSCALL-6, T-57: each section that sysmon meets is a new one, so none loses
/// the P; the poll that is made of them does, after its slice and the time to answer.
#[test]
fn t57_a_poll_of_short_sections_has_one_slice() {
    const END: u64 = 11_000_000;
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        world.park_ms(1);
        world.sched.injector.push(world.g(B));
        let mut sysmon = Sysmon::new(world.sched.clone());
        let start = world.sched.real_nanotime();
        let taken: Arc<Mutex<Vec<bool>>> = Arc::default();
        let task = world.task(A, {
            let taken = taken.clone();
            move |_| {
                for after in [0, 1, END / 2, END - 1, END] {
                    block_in_place(|| lock(&taken).push(sysmon.retake(start + after)));
                }
                Poll::Ready(())
            }
        });
        world.execute(&m, task);
        assert_eq!(
            *lock(&taken),
            [false, false, false, false, true],
            "{rules:?}"
        );
        assert!(m.p().is_none());
        let heirs = world.started();
        assert_eq!(heirs.len(), 1, "{rules:?}");
        assert_eq!(heirs[0].must_p().id, 0);
        assert_eq!(world.drain_global(), [B]);
    }
}

/// Rule R-SYSMON-5, T-56: events do not wait behind a poll while a P is idle. At the second
/// look that meets the poll sysmon starts an M, which becomes the poller; Go waits 10 ms.
#[test]
fn t56_an_idle_p_polls_behind_a_long_poll() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let m = world.m();
        world.park_ms(1);
        let (socket, _peer) = UnixStream::pair().expect("a pair of sockets");
        let _source = Registered::new(&world.sched.reactor, socket).expect("a socket is taken");
        let mut sysmon = Sysmon::new(world.sched.clone());
        let start = world.sched.real_nanotime();
        let idle: Arc<Mutex<Vec<usize>>> = Arc::default();
        let task = world.task(A, {
            let (idle, sched) = (idle.clone(), world.sched.clone());
            move |_| {
                for after in [0, 1] {
                    sysmon.retake(start + after);
                    sysmon.rescue();
                    lock(&idle).push(sched.lock().inner.midle.len());
                }
                Poll::Ready(())
            }
        });
        world.execute(&m, task);
        let pollers = usize::from(rules == Rules::Default);
        assert_eq!(*lock(&idle), [1, 1 - pollers], "{rules:?}");
        assert_eq!(world.started().len(), pollers);
    }
}

/// Rule R-PREEMPT-2, T-45: where it cannot give way a task goes on, and the
/// request stays for the first check that can answer it.
#[test]
fn t45_a_request_outlasts_what_cannot_be_preempted() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let shared = m.shared.clone();
        let sched = world.sched.clone();
        let gave_way = Arc::new(AtomicU32::new(0));
        let task = world.task(A, {
            let gave_way = gave_way.clone();
            move |cx| {
                preempt_one(sched.p(0), &shared);
                let mut passes = 0;
                passes += u32::from(leaf::unconstrained(|| leaf::poll_check(cx)).is_ready());
                passes += u32::from(block_in_place(|| leaf::poll_check(cx)).is_ready());
                assert_eq!(passes, 2);
                let answer = leaf::poll_check(cx);
                gave_way.fetch_add(u32::from(answer.is_pending()), Ordering::Relaxed); // ord: one thread
                answer
            }
        });
        world.execute(&m, task);
        assert_eq!(gave_way.load(Ordering::Relaxed), 1, "{rules:?}"); // ord: one thread
        assert_eq!(world.drain_global(), [A]);
    }
}

/// Rules R-PREEMPT-1, R-PREEMPT-4 and R-SCHED-4, T-46: a request is for one slice. Source:
/// Go's execute, schedule.
#[test]
fn t46_a_new_task_begins_unasked() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        preempt_one(pp, &m.shared);
        let task = world.task(A, |cx| {
            assert!(!wanted());
            assert!(leaf::poll_check(cx).is_ready());
            Poll::Ready(())
        });
        world.put(pp, task, false);
        assert_eq!(world.rounds(&m, 1), [A]);
        assert!(!pp.preempt.load(Ordering::Relaxed)); // ord: one thread
        assert_eq!(world.sched.preemptions.get(), 0);
    }
}

/// Rule R-PREEMPT-7, T-47: a request that meets `runnext` is forgotten in Go; in
/// the default rules it ends the slice: the global queue first, then the ring,
/// with what was in `runnext` at its tail.
#[test]
fn t47_a_request_breaks_a_chain_of_runnexts() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        world.set_tick(pp, 5);
        // The chain: one that inherited its slice ran before.
        world.execute(&m, world.g(D));
        world.put(pp, world.g(A), true);
        world.fill(pp, [B]);
        world.sched.injector.push(world.g(X));
        preempt_one(pp, &m.shared);
        match rules {
            Rules::Go117 => {
                assert_eq!(world.rounds(&m, 1), [A]);
                assert_eq!(pp.tick_now(), 5);
                assert_eq!(world.rounds(&m, 2), [B, X]);
            }
            Rules::Default => {
                assert_eq!(world.rounds(&m, 3), [X, B, A]);
                assert_eq!(pp.tick_now(), 8);
            }
        }
    }
}
