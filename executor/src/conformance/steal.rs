//! T-17 to T-23, T-26, T-27: what a thief takes, and what it leaves alone.
//! T-24 and T-25 are beside the order itself, in `steal.rs`.

use std::time::Duration;

use gmp_timers::Timer;

use super::kit::{Num, RULES, World};
use crate::clock::nanotime;
use crate::m::M;
use crate::p::{PGCSTOP, PRUNNING};
use crate::runq::{Grab, RunQueue, Runnext};
use crate::steal::{Stolen, steal_work};
use crate::sync::Ordering;

/// The number that `thief` steals and whether it inherits the slice.
fn steal(world: &World, thief: &M) -> Option<(u64, bool)> {
    world.on(thief, || match steal_work(thief, thief.must_p()) {
        Stolen::Task(gp, inherit) => Some((world.id(gp), inherit)),
        Stolen::LookAgain => panic!("no timer ran and the world runs"),
        Stolen::Nothing { .. } => None,
    })
}

/// Rule R-STEAL-3, T-17: half, rounded up; the victim keeps the newest. Source:
/// Go's runqgrab.
#[test]
fn t17_steal_amounts() {
    let table = [
        (1, 1),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 3),
        (7, 4),
        (255, 128),
        (256, 128),
    ];
    for rules in RULES {
        for (len, stolen) in table {
            let world = World::new(rules, 2);
            let ms = world.all_ms();
            world.fill(ms[0].must_p(), 0..len);
            assert_eq!(steal(&world, &ms[1]), Some((stolen - 1, false)));
            assert_eq!(
                world.drain(ms[1].must_p()),
                (None, (0..stolen - 1).collect())
            );
            assert_eq!(world.drain(ms[0].must_p()), (None, (stolen..len).collect()));
        }
    }
}

/// Rule R-STEAL-3, T-18: the last stolen one runs, in a slice of its own.
#[test]
fn t18_the_last_stolen_runs() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let pp = ms[1].must_p();
        world.set_tick(pp, 1);
        world.fill(ms[0].must_p(), 0..5);
        assert_eq!(world.rounds(&ms[1], 1), [2]);
        assert_eq!(pp.tick_now(), 2);
        assert_eq!(world.drain(pp), (None, vec![0, 1]));
        assert_eq!(world.drain(ms[0].must_p()), (None, vec![3, 4]));
    }
}

/// Rule R-STEAL-3, T-19: a single one is run and never enters the ring.
#[test]
fn t19_a_single_one_does_not_move_the_tail() {
    let (victim, thief) = (RunQueue::new(), RunQueue::starting_at(7));
    assert!(victim.put(Num(1), false).is_ok());
    let before = format!("{thief:?}");
    assert!(matches!(
        victim.grab_into(&thief, Runnext::Leave),
        Grab::Got(Num(1))
    ));
    assert_eq!(format!("{thief:?}"), before);
    assert!(thief.is_empty() && victim.is_empty());
}

/// Rule R-STEAL-4, T-20: `runnext` is for the last pass. Source: Go's runqgrab.
#[test]
fn t20_only_the_last_pass_takes_runnext() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        world.put(ms[0].must_p(), world.g(1), true);
        let (victim, thief) = (&ms[0].must_p().runq, &ms[1].must_p().runq);
        assert!(matches!(
            victim.grab_into(thief, Runnext::Leave),
            Grab::Nothing
        ));
        assert!(matches!(
            victim.grab_into(thief, Runnext::Ask),
            Grab::OnlyRunnext
        ));
        assert_eq!(steal(&world, &ms[1]), Some((1, false)));
        assert_eq!(world.drain(ms[0].must_p()), (None, vec![]));
    }
}

/// Rule R-STEAL-1, T-20: in whatever order the Ps are visited, another's ring goes
/// before anybody's `runnext` and timers.
#[test]
fn t20_every_ring_goes_before_any_runnext() {
    const A: u64 = 1;
    const B: u64 = 2;
    for rules in RULES {
        let world = World::new(rules, 3);
        let ms = world.all_ms();
        let timer = Timer::new();
        let sleeper = world.parked_g(&ms[0], 3);
        ms[0].must_p().timers.add(&timer, 1, &sleeper);
        world.put(ms[0].must_p(), world.g(A), true);
        for _ in 0..20 {
            world.put(ms[1].must_p(), world.g(B), false);
            assert_eq!(steal(&world, &ms[2]), Some((B, false)));
        }
        assert_eq!(world.drain(ms[0].must_p()), (Some(A), vec![]));
    }
}

/// Rule R-STEAL-4, T-20: the pause is for a victim that runs.
#[test]
fn t20_a_running_victim_has_3_us_for_its_runnext() {
    const PAUSE: Duration = Duration::from_micros(3);
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let pp = ms[0].must_p();
        let time = |status| {
            pp.set_status(status);
            world.put(pp, world.g(1), true);
            let start = nanotime();
            let got = steal(&world, &ms[1]);
            let taken = Duration::from_nanos(nanotime() - start);
            assert_eq!(got, Some((1, false)));
            taken
        };
        assert!(time(PRUNNING) >= PAUSE);
        // Any status but Running; the machine may be slow, but not each time.
        let shortest = (0..1000).map(|_| time(PGCSTOP)).min();
        assert!(shortest < Some(PAUSE), "{shortest:?}");
    }
}

/// Rule R-STEAL-4, T-21: while the ring has something, `runnext` stays.
#[test]
fn t21_the_ring_goes_before_runnext() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let (victim, thief) = (ms[0].must_p(), ms[1].must_p());
        world.put(victim, world.g(1), true);
        world.put(victim, world.g(2), false);
        let Grab::Got(gp) = victim.runq.grab_into(&thief.runq, Runnext::Take) else {
            panic!("the ring has one");
        };
        assert_eq!(world.id(gp), 2);
        assert_eq!(world.drain(victim), (Some(1), vec![]));
    }
}

/// Rule R-STEAL-4, T-22: the owner runs its `runnext` during the pause. The
/// race itself is a model of the queue.
#[test]
fn t22_the_owner_is_faster_than_the_pause() {
    let (victim, thief) = (RunQueue::new(), RunQueue::new());
    assert!(victim.put(Num(1), true).is_ok());
    assert!(matches!(
        victim.grab_into(&thief, Runnext::Ask),
        Grab::OnlyRunnext
    ));
    assert_eq!(victim.get(), Some((Num(1), true)));
    assert!(matches!(
        victim.grab_into(&thief, Runnext::Take),
        Grab::Nothing
    ));
    assert!(victim.is_empty() && thief.is_empty());
}

/// Rule R-STEAL-5, T-23: the queue of an idle P is not looked at, its timers are.
#[test]
fn t23_an_idle_p_is_robbed_of_timers_only() {
    for rules in RULES {
        for with_timer in [false, true] {
            let world = World::new(rules, 3);
            let m = world.m();
            // A task that a timer readies may start an M, with P 1.
            world.park_ms(1);
            let idle = world.sched.p(2);
            // No P is idle with a task in its queue; this one is, to show that
            // the thief does not see it.
            world.put(idle, world.g(1), false);
            let timer = Timer::new();
            let sleeper = world.parked_g(&m, 2);
            if with_timer {
                idle.timers.add(&timer, 1, &sleeper);
                world.sched.timerp_mask.set(2);
                // From the timer to the own queue, hence with the slice.
                assert_eq!(steal(&world, &m), Some((2, true)));
            }
            assert_eq!(steal(&world, &m), None);
            world.sched.idlep_mask.clear(2);
            assert_eq!(steal(&world, &m), Some((1, false)));
        }
    }
}

/// Rules R-STEAL-1 and R-TIMER-8, T-26: stolen timers ready their tasks on the
/// thief's P, and the last of them is the thief's next task.
#[test]
fn t26_stolen_timers_give_the_thief_its_runnext() {
    const V: u64 = 9;
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let (victim, thief) = (ms[0].must_p(), ms[1].must_p());
        let timers: Vec<Timer> = (0..3).map(|_| Timer::new()).collect();
        for (timer, id) in timers.iter().zip(1..) {
            let sleeper = world.parked_g(&ms[0], id);
            victim.timers.add(timer, id, &sleeper);
        }
        // The victim's only task is one that the last pass may take.
        world.put(victim, world.g(V), true);
        assert_eq!(steal(&world, &ms[1]), Some((3, true)));
        assert_eq!(world.drain(thief), (None, vec![1, 2]));
        assert_eq!(world.drain(victim), (Some(V), vec![]));
    }
}

/// Rule R-STEAL-1, T-27: the world is about to stop.
#[test]
fn t27_a_wanted_stop_ends_the_search() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        world.fill(ms[0].must_p(), 0..5);
        world.sched.stop_wanted.store(true, Ordering::SeqCst); // ord: one thread
        assert!(matches!(
            world.on(&ms[1], || steal_work(&ms[1], ms[1].must_p())),
            Stolen::LookAgain
        ));
        world.sched.stop_wanted.store(false, Ordering::SeqCst); // ord: one thread
        assert_eq!(world.drain(ms[1].must_p()), (None, vec![]));
        assert_eq!(world.drain(ms[0].must_p()).1.len(), 5);
    }
}
