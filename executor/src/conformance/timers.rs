//! T-60, T-68 and what fires timers, step by step.

use std::task::Waker;
use std::thread;
use std::time::Duration;

use gmp_timers::Timer;

use super::kit::{RULES, World};
use crate::leaf;
use crate::m::M;
use crate::sched::Rules;
use crate::sync::{AtomicBool, Ordering};

/// Arms a timer as a leaf does.
fn arm(world: &World, m: &M, timer: &Timer, when: u64) {
    world.on(m, || leaf::arm(timer, when, Waker::noop()));
}

/// Rule R-TIMER-13, T-60, as measured in Go: of timers that are due together the
/// last one's task is in `runnext`, the others follow in the ring.
#[test]
fn t60_the_last_of_simultaneous_timers_runs_first() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        let timers: Vec<Timer> = (0..4).map(|_| Timer::new()).collect();
        for (timer, id) in timers.iter().zip(1..) {
            let sleeper = world.parked_g(&m, id);
            pp.timers.add(timer, id, &sleeper);
        }
        world.set_tick(pp, 1);
        assert_eq!(world.rounds(&m, 4), [4, 1, 2, 3]);
    }
}

/// Rule R-TIMER-13: behind the ring that is there, and the former `runnext`
/// before the first timer's task.
#[test]
fn t60_simultaneous_timers_go_behind_the_ring() {
    const RING: u64 = 100;
    const NEXT: u64 = 101;
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        let timers: Vec<Timer> = (0..3).map(|_| Timer::new()).collect();
        for (timer, id) in timers.iter().zip(1..) {
            let sleeper = world.parked_g(&m, id);
            pp.timers.add(timer, id, &sleeper);
        }
        world.put(pp, world.g(NEXT), true);
        world.fill(pp, [RING]);
        world.set_tick(pp, 1);
        assert_eq!(world.rounds(&m, 5), [3, RING, NEXT, 1, 2]);
    }
}

/// Rules R-SPIN-4 and R-POLL-6: in Go a poller that was a spinner before goes on as one, and
/// passes the baton when it runs what its timer wakes. In the default rules it does not look
/// further than its own heap, and no M is woken to find nothing.
#[test]
fn a_lone_timer_wakes_no_other_m() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let m = world.m();
        world.park_ms(1);
        let timer = Timer::new();
        let sleeper = world.parked_g(&m, 1);
        let when = world.sched.nanotime() + 2_000_000;
        m.must_p().timers.add(&timer, when, &sleeper);
        assert_eq!(world.rounds(&m, 1), [1]);
        let others = usize::from(rules == Rules::Go117);
        assert_eq!(world.started().len(), others, "{rules:?}");
    }
}

/// Rules R-TIMER-4 and L-15, T-68: in Go 1.17 every timer that is armed asks for
/// somebody who will wait for it. In the default rules an M that has its P looks
/// at its own heap before it sleeps, and asks nobody.
#[test]
fn t68_arming_starts_a_poller_in_go_1_17() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let m = world.m();
        world.park_ms(3);
        let far = world.sched.nanotime() + 3_600_000_000_000;
        let timers: Vec<Timer> = (0..3).map(|_| Timer::new()).collect();
        for (timer, later) in timers.iter().zip([2, 3, 1]) {
            arm(&world, &m, timer, far + later);
            let started = world.started();
            match rules {
                Rules::Go117 => {
                    assert_eq!(started.len(), 1, "{later}");
                    assert!(started[0].spinning.get());
                    // It gives up, so that the next one can be started.
                    started[0].spinning.set(false);
                    world.sched.idle.leave_spinning();
                    let pp = started[0].release_p();
                    world.sched.lock().pidle_put(pp);
                }
                Rules::Default => assert!(started.is_empty(), "{later}"),
            }
        }
        assert_eq!(m.must_p().timers.len(), 3);
    }
}

/// Whether a poller that sleeps until `until` is woken by `what`.
fn breaks(world: &World, until: u64, what: impl FnOnce()) -> bool {
    world.sched.lastpoll.store(0, Ordering::SeqCst); // ord: one thread
    world.sched.poll_until.store(until, Ordering::SeqCst); // ord: one thread
    what();
    let mut ready = Vec::new();
    let start = std::time::Instant::now();
    let patience = Duration::from_millis(50);
    world
        .sched
        .reactor
        .poll(Some(patience), &mut ready)
        .expect("the reactor polls");
    start.elapsed() < patience
}

/// Rules R-POLL-9 and R-TIMER-6, T-68 and T-62: who sleeps in the poller is woken
/// for an earlier deadline only.
#[test]
fn t68_a_sleeping_poller_is_woken_for_an_earlier_deadline() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = world.all_ms();
        let far = world.sched.nanotime() + 3_600_000_000_000;
        let (mine, other) = (Timer::new(), Timer::new());
        let go = rules == Rules::Go117;
        let earlier = breaks(&world, far + 10, || arm(&world, &ms[0], &mine, far + 5));
        assert_eq!(earlier, go, "the owner looks itself in the default rules");
        let later = breaks(&world, far + 5, || arm(&world, &ms[1], &other, far + 9));
        assert!(!later);
        // Moved by whoever, an earlier deadline is told to the sleeper.
        let move_to = |when| world.on(&ms[1], || assert!(leaf::move_timer(&mine, when)));
        assert!(breaks(&world, far + 5, || move_to(far + 1)));
        assert!(!breaks(&world, far + 1, || move_to(far + 20)));
    }
}

/// Rule R-TIMER-8: a timer of a thread without a P lies in some heap, and whoever
/// sleeps in the poller learns of it.
#[test]
fn t68_a_timer_without_a_p_is_announced() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let timer = Timer::new();
        let when = world.sched.nanotime() + 3_600_000_000_000;
        assert!(breaks(&world, 0, || {
            world.sched.arm_somewhere(&timer, when, Waker::noop());
        }));
        assert_eq!(world.sched.earliest_timer(), when);
    }
}

/// Rules R-P-3 and R-P-4: the mask says where to look for timers. One that is armed
/// from outside is seen, although its P goes idle at that moment.
#[test]
fn a_timer_without_a_p_is_seen_whatever_its_p_does() {
    const ROUNDS: u32 = 100_000;
    let world = World::new(Rules::Default, 1);
    let sched = &world.sched;
    // As if somebody polled, so that arming starts nobody.
    sched.lastpoll.store(0, Ordering::SeqCst); // ord: before the thread
    let far = sched.nanotime() + 3_600_000_000_000;
    let over = AtomicBool::new(false);
    let lost = thread::scope(|scope| {
        scope.spawn(|| {
            // ord: nothing but the end
            while !over.load(Ordering::Relaxed) {
                let pp = sched.lock().pidle_get().expect("nobody else takes it");
                sched.lock().pidle_put(pp);
            }
        });
        let mut lost = 0;
        for _ in 0..ROUNDS {
            let timer = Timer::new();
            sched.arm_somewhere(&timer, far, Waker::noop());
            let guard = sched.lock();
            lost += u32::from(guard.idle_ps() == 1 && sched.earliest_timer() != far);
            drop(guard);
            timer.stop();
            sched.p(0).timers.check(0, true, &mut Vec::new());
        }
        over.store(true, Ordering::Relaxed); // ord: as above
        lost
    });
    assert_eq!(lost, 0, "timers that nobody would have looked for");
}
