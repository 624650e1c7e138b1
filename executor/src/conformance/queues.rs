//! T-01 to T-04, T-09 to T-13, T-15, T-72: the ring, `runnext`, the global queue,
//! the list of events, and whose turn it is.

use std::panic::Location;
use std::task::Poll;
use std::time::Duration;

use super::kit::{RULES, World};
use crate::leaf;
use crate::netpoll::netpoll;
use crate::ready;
use crate::sched::Rules;

/// Rule R-RUNQ-2, T-01. Source: Go's runqput.
#[test]
fn t01_the_ring_takes_256() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        world.fill(m.must_p(), 0..256);
        assert_eq!(m.must_p().runq.len(), 256);
        assert!(!m.must_p().runq.has_runnext());
        assert_eq!(world.sched.injector.len(), 0);
        assert_eq!(world.drain(m.must_p()), (None, (0..256).collect()));
    }
}

/// Rule R-RUNQ-4, T-02: the 128 oldest and the incoming one leave, in this
/// order. Source: Go's runqputslow.
#[test]
fn t02_the_257th_takes_the_older_half_along() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        world.fill(m.must_p(), 0..=256);
        let global: Vec<u64> = (0..128).chain([256]).collect();
        assert_eq!(world.drain_global(), global);
        assert_eq!(world.drain(m.must_p()), (None, (128..256).collect()));
    }
}

/// Rules R-RUNQ-3 and 4, T-03: the kicked `runnext` is the one that leaves.
#[test]
fn t03_a_full_ring_sends_the_former_runnext_away() {
    const A: u64 = 1000;
    const B: u64 = 1001;
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        world.put(pp, world.g(A), true);
        world.fill(pp, 0..256);
        world.put(pp, world.g(B), true);
        let global: Vec<u64> = (0..128).chain([A]).collect();
        assert_eq!(world.drain_global(), global);
        assert_eq!(world.drain(pp), (Some(B), (128..256).collect()));
    }
}

/// Rules R-G-5 and R-RUNQ-4, T-04. Source: Go's newproc.
#[test]
fn t04_one_g_spawns_257_and_258() {
    for rules in RULES {
        for count in [257, 258] {
            let world = World::new(rules, 1);
            let m = world.m();
            let sched = world.sched.clone();
            let parent = world.task(1_000_000, move |_| {
                for _ in 0..count {
                    drop(ready::spawn(&sched, async {}, Location::caller(), None));
                }
                Poll::Ready(())
            });
            world.execute(&m, parent);
            // The only P gives its goids in order, from 1.
            if count == 257 {
                assert_eq!(world.drain_global(), []);
                assert_eq!(world.drain(m.must_p()), (Some(257), (1..=256).collect()));
            } else {
                let global: Vec<u64> = (1..=128).chain([257]).collect();
                assert_eq!(world.drain_global(), global);
                assert_eq!(world.drain(m.must_p()), (Some(258), (129..=256).collect()));
            }
        }
    }
}

/// Rules R-RUNQ-6 and R-SCHED-5, T-09. Source: Go's runqget, execute.
#[test]
fn t09_runnext_inherits_the_slice_and_the_ring_does_not() {
    const A: u64 = 1;
    const B: u64 = 2;
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        let fill = || {
            world.set_tick(pp, 1);
            world.put(pp, world.g(A), true);
            world.put(pp, world.g(B), false);
        };
        fill();
        let take = || pp.runq.get().map(|(gp, inherit)| (world.id(gp), inherit));
        assert_eq!(take(), Some((A, true)));
        assert_eq!(take(), Some((B, false)));
        assert_eq!(take(), None);
        fill();
        assert_eq!(world.rounds(&m, 1), [A]);
        assert_eq!(pp.tick_now(), 1);
        assert_eq!(world.rounds(&m, 1), [B]);
        assert_eq!(pp.tick_now(), 2);
    }
}

/// Rule R-SCHED-3, T-10: at a multiple of 61 the global queue goes before
/// `runnext`. Source: Go's schedule.
#[test]
fn t10_tick_61_comes_before_runnext() {
    const X: u64 = 1;
    const A: u64 = 2;
    for rules in RULES {
        for tick in [0, 61, 122] {
            let world = World::new(rules, 1);
            let m = world.m();
            let pp = m.must_p();
            world.set_tick(pp, tick);
            world.sched.injector.push(world.g(X));
            world.put(pp, world.g(A), true);
            assert_eq!(world.rounds(&m, 1), [X]);
            assert_eq!(pp.tick_now(), tick + 1);
            assert_eq!(world.rounds(&m, 1), [A]);
            assert_eq!(pp.tick_now(), tick + 1);
        }
    }
}

/// Rules R-SCHED-3 and R-G-10, T-11: sixty local runs between two turns of the
/// global queue.
#[test]
fn t11_the_global_queue_has_every_61st_execution() {
    const X: u64 = 9;
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        world.set_tick(pp, 1);
        for id in [1, 2] {
            let yielder = world.task(id, |cx| {
                leaf::goyield(cx);
                Poll::Pending
            });
            world.put(pp, yielder, false);
        }
        world.sched.injector.push(world.task(X, |cx| {
            leaf::gosched(cx);
            Poll::Pending
        }));
        let ran = world.rounds(&m, 4 * 61);
        let turns: Vec<usize> = (1..=ran.len()).filter(|&n| ran[n - 1] == X).collect();
        assert_eq!(turns, [61, 122, 183, 244], "{rules:?}");
        let locals: Vec<u64> = ran.into_iter().filter(|&id| id != X).collect();
        assert!(locals.chunks(2).all(|pair| pair == [1, 2]), "{rules:?}");
    }
}

/// Rule R-RUNQ-9, T-12: the first is run, the rest is in the ring in order.
/// Source: Go's globrunqget.
#[test]
fn t12_a_batch_of_the_global_queue() {
    // Size, Ps, whether it is the turn of tick 61, and how many are taken.
    let table = [
        (1, 4, false, 1),
        (3, 4, false, 1),
        (4, 4, false, 2),
        (10, 1, false, 10),
        (100, 4, false, 26),
        (508, 4, false, 128),
        (1000, 4, false, 128),
        (1000, 1, false, 128),
        (500, 8, true, 1),
    ];
    for rules in RULES {
        for (size, procs, in_turn, n) in table {
            let world = World::new(rules, procs);
            let ms = world.all_ms();
            let pp = ms[0].must_p();
            world.set_tick(pp, if in_turn { 61 } else { 1 });
            world.sched.injector.push_all(world.gs(0..size));
            assert_eq!(world.find(&ms[0]), (0, false));
            assert_eq!(world.drain(pp), (None, (1..n).collect()), "{size} {procs}");
            assert_eq!(world.drain_global(), (n..size).collect::<Vec<_>>());
        }
    }
}

/// Rule R-RUNQ-5, T-13: a batch fills the ring and halves nothing. Source: Go's
/// runqputbatch.
#[test]
fn t13_a_batch_beyond_the_ring_goes_to_the_global_queue() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        world.fill(pp, 0..250);
        ready::inject_glist(&world.sched, Some(pp), world.gs(250..260).into_iter());
        assert_eq!(world.drain_global(), [256, 257, 258, 259]);
        assert_eq!(world.drain(pp), (None, (0..256).collect()));
    }
}

/// Rule R-RUNQ-10, T-15; the concurrent part is in `races`. Source: Go's
/// runqdrain.
#[test]
fn t15_a_drain_gives_runnext_first() {
    let world = World::new(Rules::Default, 1);
    let m = world.m();
    let pp = m.must_p();
    world.fill(pp, 1..=5);
    world.put(pp, world.g(0), true);
    let mut drained = Vec::new();
    pp.runq.drain(|gp| drained.push(world.id(gp)));
    assert_eq!(drained, [0, 1, 2, 3, 4, 5]);
    assert!(!pp.has_work());
}

/// Rule R-POLL-8, T-72: the reactor gives wakers in the order of its events, and the
/// list that comes of it is Go's, the last event first.
#[test]
fn t72_the_last_event_is_first_in_the_list() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let mut wakers = [1, 2, 3].map(|id| world.parked_g(&m, id)).into();
        let list = world.on(&m, || {
            netpoll(&world.sched, &mut wakers, Some(Duration::ZERO))
        });
        let order: Vec<u64> = list.into_iter().map(|gp| world.id(gp)).collect();
        assert_eq!(order, [3, 2, 1]);
    }
}
