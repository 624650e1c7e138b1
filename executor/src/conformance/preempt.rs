//! T-40, T-44 to T-47: giving way by wish and on request.

use std::task::Poll;

use super::kit::{RULES, World};
use crate::leaf;
use crate::preempt::{preempt_one, wanted};
use crate::sched::Rules;
use crate::sync::{Arc, AtomicU32, Ordering};
use crate::syscall::block_in_place;

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
const D: u64 = 4;
const X: u64 = 9;

/// Rules R-G-10 and R-G-11, T-40: a yielder goes behind everybody, a goyielder
/// behind its own P's tasks. Source: Go's Gosched, goyield.
#[test]
fn t40_gosched_and_goyield() {
    let table: [(fn(&mut std::task::Context<'_>), [u64; 4]); 2] =
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

/// Rules R-PREEMPT-4 and R-SCHED-4, T-46: a request is for one slice. Source:
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
