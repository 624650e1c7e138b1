//! Tests of a timer set on its own: time is made up, and wakers write down whom they wake.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use super::*;
use crate::{FOREVER, Reset};

mod contention;
mod reference;

/// A list of the numbers that were woken.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<usize>>>);

struct Entry {
    id: usize,
    log: Log,
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.log.0.lock().unwrap().push(self.id);
    }
}

impl Log {
    fn waker(&self, id: usize) -> Waker {
        Waker::from(Arc::new(Entry {
            id,
            log: self.clone(),
        }))
    }

    fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Checks `timers` and returns who was woken, in order.
fn fire(timers: &Timers, now: u64, log: &Log) -> Vec<usize> {
    let mut ready = Vec::new();
    let check = timers.check(now, true, &mut ready);
    assert!(check.ran || ready.is_empty());
    assert_eq!(check.next, timers.next());
    ready.into_iter().for_each(Waker::wake);
    log.take()
}

fn armed(timers: &Timers, when: u64) -> Timer {
    let timer = Timer::new();
    timers.add(&timer, when, Waker::noop());
    timer
}

#[test]
fn t60_due_timers_come_in_the_order_of_their_deadlines() {
    let (timers, log) = (Timers::new(), Log::default());
    let keep: Vec<Timer> = [30, 10, 40, 20]
        .into_iter()
        .map(|when| {
            let timer = Timer::new();
            timers.add(&timer, when as u64, &log.waker(when));
            timer
        })
        .collect();
    assert_eq!(timers.next(), 10);
    assert_eq!(fire(&timers, 9, &log), []);
    assert_eq!(fire(&timers, 40, &log), [10, 20, 30, 40]);
    assert!(keep.iter().all(Timer::fired));
    assert_eq!((timers.next(), timers.len()), (0, 0));
}

#[test]
fn t61_stop_leaves_a_zombie_that_never_fires() {
    let timers = Timers::new();
    let (first, second) = (armed(&timers, 10), armed(&timers, 20));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(first.stop());
            assert!(!first.stop());
        });
    });
    assert_eq!((timers.len(), timers.live()), (2, 1));
    assert!(!first.is_pending() && !first.fired());
    let mut ready = Vec::new();
    assert!(timers.check(30, true, &mut ready).ran);
    assert_eq!(ready.len(), 1);
    assert!(second.fired() && !first.fired());
    assert_eq!((timers.len(), timers.live()), (0, 0));
    assert!(!second.stop(), "fired");
    assert!(!Timer::new().stop(), "never armed");
}

#[test]
fn t61_stop_lets_the_waker_go_at_once() {
    let (timers, timer) = (Timers::new(), Timer::new());
    let task = Arc::new(Entry {
        id: 0,
        log: Log::default(),
    });
    timers.add(&timer, 10, &Waker::from(Arc::clone(&task)));
    assert_eq!(Arc::strong_count(&task), 2);
    timer.stop();
    assert_eq!(Arc::strong_count(&task), 1);
    assert_eq!(timers.len(), 1);
    timers.add(&timer, 10, &Waker::from(Arc::clone(&task)));
    drop(timer);
    assert_eq!(Arc::strong_count(&task), 1);
}

#[test]
fn t62_reset_earlier_lowers_the_horizon_and_fires_at_the_new_time() {
    let timers = Timers::new();
    let (near, far) = (armed(&timers, 100), armed(&timers, 500));
    assert_eq!(
        far.reset(200),
        Reset::Moved {
            was_pending: true,
            wake: false
        },
        "the owner looks at 100 anyway"
    );
    assert_eq!(timers.next(), 100);
    assert_eq!(
        far.reset(50),
        Reset::Moved {
            was_pending: true,
            wake: true
        }
    );
    assert_eq!(timers.next(), 50);
    let mut ready = Vec::new();
    assert_eq!(
        timers.check(49, true, &mut ready),
        Check {
            next: 50,
            ran: false
        }
    );
    assert_eq!(
        timers.check(50, true, &mut ready),
        Check {
            next: 100,
            ran: true
        }
    );
    assert!(far.fired() && near.is_pending());
}

#[test]
fn t62_reset_later_tells_nobody_and_does_not_fire_at_the_old_time() {
    let timers = Timers::new();
    let timer = armed(&timers, 100);
    assert_eq!(
        timer.reset(300),
        Reset::Moved {
            was_pending: true,
            wake: false
        }
    );
    let mut ready = Vec::new();
    assert_eq!(
        timers.check(299, true, &mut ready),
        Check {
            next: 300,
            ran: false
        }
    );
    assert_eq!(
        timers.check(300, true, &mut ready),
        Check { next: 0, ran: true }
    );
    assert_eq!(ready.len(), 1);
}

#[test]
fn r_timer_6_reset_brings_a_zombie_back_and_finds_no_other_timer() {
    let (timers, log) = (Timers::new(), Log::default());
    let timer = Timer::new();
    assert_eq!(timer.reset(10), Reset::NotInHeap);
    timers.add(&timer, 100, &log.waker(1));
    timer.stop();
    assert_eq!(timers.live(), 0);
    assert_eq!(
        timer.reset(70),
        Reset::Moved {
            was_pending: false,
            wake: true
        }
    );
    assert_eq!((timers.len(), timers.live()), (1, 1));
    timer.set_waker(&log.waker(2));
    assert_eq!(fire(&timers, 70, &log), [2]);
    assert_eq!(timer.reset(200), Reset::NotInHeap);
    assert!(
        timer.fired(),
        "a reset that does nothing leaves the state alone"
    );
}

#[test]
fn t63_the_owner_sweeps_beyond_a_quarter_and_nobody_else() {
    let timers = Timers::new();
    let all: Vec<Timer> = (0..100).map(|i| armed(&timers, 1000 + i)).collect();
    let mut ready = Vec::new();
    all[..25].iter().for_each(|timer| assert!(timer.stop()));
    timers.check(1, true, &mut ready);
    assert_eq!((timers.len(), timers.live()), (100, 75));
    all[25].stop();
    timers.check(1, false, &mut ready);
    assert_eq!((timers.len(), timers.live()), (100, 74));
    timers.check(1, true, &mut ready);
    assert_eq!((timers.len(), timers.live()), (74, 74));
    assert_eq!(timers.next(), 1026);
    assert!(ready.is_empty());
}

#[test]
fn t66_forever_never_comes_and_does_not_disturb_others() {
    let timers = Timers::new();
    let (never, beyond, soon) = (
        armed(&timers, FOREVER),
        armed(&timers, u64::MAX),
        armed(&timers, 5),
    );
    let mut ready = Vec::new();
    assert_eq!(
        timers.check(u64::MAX, true, &mut ready),
        Check {
            next: FOREVER,
            ran: true
        }
    );
    assert!(soon.fired() && never.is_pending() && beyond.is_pending());
    assert_eq!(
        beyond.reset(6),
        Reset::Moved {
            was_pending: true,
            wake: true
        }
    );
    assert_eq!(
        timers.check(FOREVER, true, &mut ready),
        Check {
            next: FOREVER,
            ran: true
        }
    );
    assert!(beyond.fired() && !never.fired());
}

#[test]
fn t66_zero_and_past_deadlines_are_due_at_once() {
    let timers = Timers::new();
    let (zero, past) = (armed(&timers, 0), armed(&timers, 7));
    assert_eq!(timers.next(), 1);
    assert!(zero.is_pending());
    let mut ready = Vec::new();
    assert_eq!(
        timers.check(0, true, &mut ready),
        Check {
            next: 1,
            ran: false
        }
    );
    timers.check(1000, true, &mut ready);
    assert!(zero.fired() && past.fired());
    timers.add(&zero, 2000, Waker::noop());
    assert_eq!(
        zero.reset(0),
        Reset::Moved {
            was_pending: true,
            wake: true
        }
    );
    assert_eq!(timers.next(), 1);
}

#[test]
fn t68_add_wakes_only_for_an_earlier_deadline() {
    let timers = Timers::new();
    let [a, b, c, d] = [const { Timer::new() }; 4];
    assert!(timers.add(&a, 100, Waker::noop()), "nobody would look");
    assert!(!timers.add(&b, 100, Waker::noop()));
    assert!(!timers.add(&c, 200, Waker::noop()));
    assert!(timers.add(&d, 99, Waker::noop()));
    assert!(timers.add(&c, 98, Waker::noop()), "moved within the heap");
    assert!(!timers.add(&c, 300, Waker::noop()));
    assert_eq!((timers.len(), timers.live()), (4, 4));
}

#[test]
fn t69_what_a_wake_up_adds_is_due_in_the_next_check() {
    struct Adds(Arc<(Timers, Timer)>);
    impl Wake for Adds {
        fn wake(self: Arc<Self>) {
            let (timers, timer) = &*self.0;
            timers.add(timer, 10, Waker::noop());
        }
    }
    let shared = Arc::new((Timers::new(), Timer::new()));
    let first = Timer::new();
    shared.0.add(
        &first,
        20,
        &Waker::from(Arc::new(Adds(Arc::clone(&shared)))),
    );
    let mut ready = Vec::new();
    assert_eq!(
        shared.0.check(30, true, &mut ready),
        Check { next: 0, ran: true }
    );
    ready.drain(..).for_each(Waker::wake);
    assert_eq!(
        shared.0.check(30, true, &mut ready),
        Check { next: 0, ran: true }
    );
    assert!(shared.1.fired());
}

#[test]
fn no_waker_is_dropped_or_cloned_under_a_lock() {
    /// Uses its timer and its set when it is dropped, which hangs if either of them is locked.
    struct Nosy(Arc<(Timers, Timer, AtomicUsize)>);
    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            let (timers, timer, drops) = &*self.0;
            let other = armed(timers, 5);
            assert!(other.stop());
            let _ = timer.reset(3);
            drops.fetch_add(1, Ordering::Relaxed);
        }
    }
    let shared = Arc::new((Timers::new(), Timer::new(), AtomicUsize::new(0)));
    let (timers, timer, drops) = &*shared;
    let arm = || timers.add(timer, 10, &Waker::from(Arc::new(Nosy(Arc::clone(&shared)))));
    let dropped = || drops.swap(0, Ordering::Relaxed);
    arm();
    assert!(timer.stop());
    assert_eq!(dropped(), 1, "by stop");
    arm();
    arm();
    assert_eq!(dropped(), 1, "by add");
    timer.set_waker(&Waker::from(Arc::new(Nosy(Arc::clone(&shared)))));
    assert_eq!(dropped(), 1, "by set_waker");
    let other = Timers::new();
    other.take_from(timers);
    timers.take_from(&other);
    let mut ready = Vec::new();
    timers.check(10, true, &mut ready);
    assert_eq!(dropped(), 0);
    drop(ready);
    assert_eq!(dropped(), 1, "by the caller");
}

#[test]
fn t71_every_timer_that_is_stopped_and_reset_to_the_past_fires() {
    let timers = Timers::new();
    let mut ready = Vec::new();
    for round in 0..1000 {
        let now = 1_000_000 + round;
        let timer = armed(&timers, now + 1000);
        for i in 0..10 {
            assert!(timer.stop());
            assert_eq!(
                timer.reset(now - 10 * i),
                Reset::Moved {
                    was_pending: false,
                    wake: true
                }
            );
            assert!(timer.is_pending());
            if i < 9 {
                timers.check(now - 100, i % 2 == 0, &mut ready);
                if timer.reset(now + 1000) == Reset::NotInHeap {
                    timers.add(&timer, now + 1000, Waker::noop());
                }
            }
        }
        timer.set_waker(Waker::noop());
        assert!(timers.check(now, round % 2 == 0, &mut ready).ran);
        assert!(timer.fired());
        assert_eq!(timers.live(), 0);
    }
    assert_eq!(ready.len(), 1000);
}

#[test]
fn t71_a_hundred_thousand_zero_timers_fire_in_one_check() {
    let timers = Timers::new();
    let all: Vec<Timer> = (0..100_000).map(|_| armed(&timers, 0)).collect();
    let mut ready = Vec::new();
    assert_eq!(
        timers.check(1, true, &mut ready),
        Check { next: 0, ran: true }
    );
    assert_eq!(ready.len(), all.len());
    assert!(all.iter().all(Timer::fired));
}

#[test]
fn r_timer_12_take_from_moves_the_living() {
    let (from, to, log) = (Timers::new(), Timers::new(), Log::default());
    let all: Vec<Timer> = (0..8).map(|_| Timer::new()).collect();
    for (i, timer) in all.iter().enumerate() {
        from.add(timer, 100 + i as u64, &log.waker(i));
    }
    all[2].stop();
    assert_eq!(
        all[5].reset(50),
        Reset::Moved {
            was_pending: true,
            wake: true
        }
    );
    assert_eq!(
        all[6].reset(400),
        Reset::Moved {
            was_pending: true,
            wake: false
        }
    );
    to.take_from(&from);
    to.take_from(&to);
    assert_eq!((from.len(), from.live(), from.next()), (0, 0, 0));
    assert_eq!((to.len(), to.live(), to.next()), (7, 7, 50));
    assert_eq!(all[2].reset(1), Reset::NotInHeap);
    assert_eq!(
        all[7].reset(60),
        Reset::Moved {
            was_pending: true,
            wake: false
        }
    );
    assert_eq!((from.next(), to.next()), (0, 50));
    assert_eq!(fire(&to, 1000, &log), [5, 7, 0, 1, 3, 4, 6]);
}

#[test]
fn a_set_that_goes_takes_its_timers_out() {
    let timers = Timers::new();
    let task = Arc::new(Entry {
        id: 0,
        log: Log::default(),
    });
    let (timer, never) = (Timer::new(), armed(&timers, 20));
    timers.add(&timer, 10, &Waker::from(Arc::clone(&task)));
    drop(timers);
    assert_eq!(Arc::strong_count(&task), 1);
    assert!(!timer.is_pending() && !timer.fired() && !timer.stop());
    assert_eq!(never.reset(5), Reset::NotInHeap);
    let next = Timers::new();
    assert_eq!((next.next(), next.len(), next.live()), (0, 0, 0));
    assert!(next.add(&timer, 30, Waker::noop()));
    assert_eq!(next.live(), 1);
}

#[test]
fn set_waker_replaces_only_while_pending() {
    let (timers, timer, log) = (Timers::new(), Timer::new(), Log::default());
    timer.set_waker(&log.waker(0));
    let task = Arc::new(Entry {
        id: 1,
        log: log.clone(),
    });
    let waker = Waker::from(Arc::clone(&task));
    timers.add(&timer, 10, &waker);
    timer.set_waker(&waker);
    assert_eq!(Arc::strong_count(&task), 3, "not cloned again");
    timer.set_waker(&log.waker(2));
    assert_eq!(Arc::strong_count(&task), 2);
    assert_eq!(fire(&timers, 10, &log), [2]);
    timer.set_waker(&waker);
    assert_eq!(Arc::strong_count(&task), 2, "a fired timer keeps no waker");
}

#[test]
fn nodes_live_again() {
    let timers = Timers::new();
    let timer = armed(&timers, 10);
    let first = Arc::as_ptr(timer.node().unwrap());
    timers.check(10, true, &mut Vec::new());
    timers.add(&timer, 20, Waker::noop());
    assert_eq!(
        Arc::as_ptr(timer.node().unwrap()),
        first,
        "the same timer keeps its node"
    );
    drop(timer);
    let (next, other) = (armed(&timers, 30), armed(&timers, 40));
    assert_eq!(
        Arc::as_ptr(next.node().unwrap()),
        first,
        "the next timer inherits it"
    );
    assert_ne!(Arc::as_ptr(other.node().unwrap()), first);
}

#[test]
fn short_timers_above_long_ones_leave_no_trail() {
    let timers = Timers::new();
    let long: Vec<Timer> = (0..1000).map(|i| armed(&timers, 1_000_000 + i)).collect();
    for when in 1..10_000 {
        drop(armed(&timers, when));
        assert!(timers.len() <= long.len() + 1);
    }
    assert_eq!(timers.live(), long.len());
}

#[test]
fn a_timer_tells_whose_it_is_while_it_is_in_a_heap() {
    let (one, other) = (Timers::of(1), Timers::of(2));
    let timer = Timer::new();
    assert_eq!(timer.owner(), None);
    one.add(&timer, 10, Waker::noop());
    assert_eq!(timer.owner(), Some(1));
    other.take_from(&one);
    assert_eq!(timer.owner(), Some(2));
    other.check(10, true, &mut Vec::new());
    assert_eq!(timer.owner(), None);
}

#[test]
fn eviction_gives_the_wakers_of_what_was_pending_and_leaves_nothing() {
    let (timers, log) = (Timers::new(), Log::default());
    let [kept, stopped] = [Timer::new(), Timer::new()];
    timers.add(&kept, 10, &log.waker(1));
    timers.add(&stopped, 20, &log.waker(2));
    let _ = kept.reset(5);
    stopped.stop();
    timers.evict().into_iter().for_each(Waker::wake);
    assert_eq!(log.take(), [1]);
    assert_eq!((timers.next(), timers.len(), timers.live()), (0, 0, 0));
    assert!(!kept.is_pending() && !kept.fired());
    assert_eq!(timers.face.zombies(), 0);
    // Both may be armed again, there or elsewhere.
    assert_eq!(kept.reset(30), Reset::NotInHeap);
    let other = Timers::new();
    for timer in [&kept, &stopped] {
        other.add(timer, 30, &log.waker(3));
    }
    assert_eq!(fire(&other, 30, &log), [3, 3]);
}

#[test]
fn a_node_and_its_counts_fit_in_64_bytes() {
    assert!(size_of::<Node>() + 2 * size_of::<usize>() <= 64);
    assert!(size_of::<Timer>() <= 16);
}

#[test]
fn debug_tells_the_state() {
    let timers = Timers::new();
    let timer = Timer::new();
    assert_eq!(format!("{timer:?}"), "Timer { state: \"unarmed\", .. }");
    timers.add(&timer, 10, Waker::noop());
    assert_eq!(
        format!("{timers:?}"),
        "Timers { next: 10, len: 1, live: 1, .. }"
    );
    assert_eq!(format!("{timer:?}"), "Timer { state: \"pending\", .. }");
    timer.stop();
    assert_eq!(format!("{timer:?}"), "Timer { state: \"stopped\", .. }");
    timers.add(&timer, 10, Waker::noop());
    timers.check(10, true, &mut Vec::new());
    assert_eq!(format!("{timer:?}"), "Timer { state: \"fired\", .. }");
}
