//! Loom models of the protocols in `face` and `node`, each with the mutants that it must catch.
//!
//! Run with `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test -p gmp-timers --release
//! --lib`.

use std::task::{Wake, Waker};

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use loom::thread;

use crate::mutant::{self, Mutant};
use crate::sync::store_load_fence;
use crate::{Reset, Timer, Timers};

/// A waker to be told from others; nobody wakes it.
struct Mark;

impl Wake for Mark {
    fn wake(self: std::sync::Arc<Self>) {}
}

fn mark() -> Waker {
    Waker::from(std::sync::Arc::new(Mark))
}

fn due(timers: &Timers, now: u64) -> usize {
    let mut ready = Vec::new();
    timers.check(now, true, &mut ready);
    ready.len()
}

/// T-70: a deadline that is lowered while the set is adjusted is seen by that pass or by a later
/// one.
fn earlier_deadline_survives_adjust() {
    loom::model(|| {
        let timers = Arc::new(Timers::new());
        let timer = Arc::new(Timer::new());
        let trigger = Timer::new();
        timers.add(&timer, 100, Waker::noop());
        timers.add(&trigger, 90, Waker::noop());
        let _ = trigger.reset(5);
        let mover = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || {
                assert!(matches!(
                    timer.reset(8),
                    Reset::Moved {
                        was_pending: true,
                        ..
                    }
                ))
            })
        };
        let fired = due(&timers, 6);
        assert_eq!(fired, 1, "the trigger");
        mover.join().unwrap();
        let next = timers.next();
        assert!(next != 0 && next <= 8, "the owner would sleep until {next}");
        assert_eq!(due(&timers, 10), 1);
        assert!(timer.fired());
    });
}

#[test]
fn t70_earlier_deadline_survives_adjust() {
    earlier_deadline_survives_adjust();
}

#[test]
#[should_panic(expected = "the owner would sleep until")]
fn t70_catches_lowering_before_publishing() {
    mutant::with(Mutant::LowerBeforePublish, earlier_deadline_survives_adjust);
}

#[test]
#[should_panic(expected = "the owner would sleep until")]
fn t70_catches_clearing_after_the_scan() {
    mutant::with(Mutant::ClearAfterScan, earlier_deadline_survives_adjust);
}

#[test]
#[should_panic(expected = "the owner would sleep until")]
fn t70_catches_lowering_without_a_write() {
    mutant::with(Mutant::LowerWithoutWrite, earlier_deadline_survives_adjust);
}

/// `next` shows every published deadline while another thread moves it from one word to the other.
fn next_never_skips_a_deadline() {
    loom::model(|| {
        let timers = Arc::new(Timers::new());
        let (moved, trigger) = (Timer::new(), Timer::new());
        timers.add(&moved, 100, Waker::noop());
        timers.add(&trigger, 90, Waker::noop());
        let _ = moved.reset(50);
        let _ = trigger.reset(5);
        // The reader is the thread that runs last by default: loom goes back to a write before a
        // read, but not to a read before a read and a write.
        let owner = {
            let timers = Arc::clone(&timers);
            thread::spawn(move || timers.next())
        };
        assert_eq!(timers.check(6, false, &mut Vec::new()).next, 50);
        let next = owner.join().unwrap();
        assert!(
            next != 0 && next <= 50,
            "the owner would sleep until {next}"
        );
        drop((moved, trigger));
    });
}

#[test]
fn r_timer_14_next_never_skips_a_deadline() {
    next_never_skips_a_deadline();
}

#[test]
#[should_panic(expected = "the owner would sleep until")]
fn r_timer_14_catches_clearing_without_folding() {
    mutant::with(Mutant::ClearWithoutFold, next_never_skips_a_deadline);
}

#[test]
#[should_panic(expected = "the owner would sleep until")]
fn r_timer_14_catches_reading_the_heap_word_first() {
    mutant::with(Mutant::HeapWordFirst, next_never_skips_a_deadline);
}

/// Which look the sleeper leaves out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sleeper {
    Careful,
    WithoutLastLook,
}

/// The handshake of the crate docs: either the sleeper sees the new deadline, or the mover wakes
/// it.
fn no_deadline_is_slept_through(sleeper: Sleeper, arm: fn(&Timers, &Timer, &Timer) -> bool) {
    loom::model(move || {
        let timers = Arc::new(Timers::new());
        let timers_of_mover = Arc::new((Timer::new(), Timer::new()));
        let timer = &timers_of_mover.0;
        let (first, last) = (Timer::new(), Timer::new());
        timers.add(timer, 200, Waker::noop());
        timers.add(&last, 150, Waker::noop());
        timers.add(&first, 50, Waker::noop());
        let asleep_until = Arc::new(AtomicU64::new(0));
        let woken = Arc::new(AtomicBool::new(false));
        let mover = {
            let (timers, own) = (Arc::clone(&timers), Arc::clone(&timers_of_mover));
            let (asleep_until, woken) = (Arc::clone(&asleep_until), Arc::clone(&woken));
            thread::spawn(move || {
                if arm(&timers, &own.0, &own.1) {
                    store_load_fence();
                    woken.store(asleep_until.load(Relaxed) > 70, Relaxed);
                }
            })
        };
        let until = timers.check(60, true, &mut Vec::new()).next;
        asleep_until.store(until, Relaxed);
        store_load_fence();
        let sleeps = sleeper == Sleeper::WithoutLastLook || timers.next() >= until;
        mover.join().unwrap();
        assert!(
            !sleeps || until <= 70 || woken.load(Relaxed),
            "slept until {until}"
        );
        drop((first, last));
    });
}

fn reset_to_70(_: &Timers, timer: &Timer, _: &Timer) -> bool {
    matches!(timer.reset(70), Reset::Moved { wake: true, .. })
}

fn add_at_70(timers: &Timers, _: &Timer, unarmed: &Timer) -> bool {
    timers.add(unarmed, 70, Waker::noop())
}

#[test]
fn t62_reset_is_not_slept_through() {
    no_deadline_is_slept_through(Sleeper::Careful, reset_to_70);
}

#[test]
#[should_panic(expected = "slept until 150")]
fn t62_catches_a_look_before_lowering() {
    mutant::with(Mutant::LookBeforeLower, || {
        no_deadline_is_slept_through(Sleeper::Careful, reset_to_70)
    });
}

#[test]
#[should_panic(expected = "slept until 150")]
fn t62_catches_a_look_without_a_fence() {
    mutant::with(Mutant::LookWithoutFence, || {
        no_deadline_is_slept_through(Sleeper::Careful, reset_to_70);
    });
}

#[test]
#[should_panic(expected = "slept until 150")]
fn t62_catches_a_sleeper_without_a_last_look() {
    no_deadline_is_slept_through(Sleeper::WithoutLastLook, reset_to_70);
}

#[test]
fn t68_add_is_not_slept_through() {
    no_deadline_is_slept_through(Sleeper::Careful, add_at_70);
}

#[test]
#[should_panic(expected = "slept until 150")]
fn t68_catches_a_sleeper_without_a_last_look() {
    no_deadline_is_slept_through(Sleeper::WithoutLastLook, add_at_70);
}

/// A stop that returns true and a fire exclude each other, and one of them happens.
fn stop_or_fire() {
    loom::model(|| {
        let timers = Arc::new(Timers::new());
        let timer = Arc::new(Timer::new());
        timers.add(&timer, 10, Waker::noop());
        let stopper = {
            let timer = Arc::clone(&timer);
            thread::spawn(move || timer.stop())
        };
        let fired = due(&timers, 10);
        let stopped = stopper.join().unwrap();
        assert_eq!(fired, usize::from(!stopped), "fired and stopped");
        assert_eq!(timer.fired(), !stopped);
        assert!(!timer.is_pending());
        due(&timers, 10);
        assert_eq!((timers.len(), timers.live()), (0, 0));
    });
}

#[test]
fn t61_stop_or_fire() {
    stop_or_fire();
}

#[test]
#[should_panic(expected = "fired and stopped")]
fn t61_catches_a_stop_that_does_not_look_again() {
    mutant::with(Mutant::StopWithoutRecheck, stop_or_fire);
}

/// After `set_waker` the timer has fired, or it wakes the new waker; no waker stays behind in a
/// fired timer.
fn set_waker_against_fire() {
    loom::model(|| {
        let timers = Arc::new(Timers::new());
        let timer = Timer::new();
        let (old, new) = (std::sync::Arc::new(Mark), std::sync::Arc::new(Mark));
        timers.add(&timer, 10, &Waker::from(std::sync::Arc::clone(&old)));
        let poller = {
            let timers = Arc::clone(&timers);
            thread::spawn(move || {
                let mut ready = Vec::new();
                timers.check(10, true, &mut ready);
                ready
            })
        };
        let waker = Waker::from(std::sync::Arc::clone(&new));
        timer.set_waker(&waker);
        let fired = timer.fired();
        let ready = poller.join().unwrap();
        assert_eq!(ready.len(), 1);
        assert!(fired || ready[0].will_wake(&waker), "the new waker is lost");
        drop((ready, waker));
        assert_eq!(
            std::sync::Arc::strong_count(&new),
            1,
            "the timer keeps a waker"
        );
        assert_eq!(
            std::sync::Arc::strong_count(&old),
            1,
            "the timer keeps a waker"
        );
    });
}

#[test]
fn r_timer_11_set_waker_against_fire() {
    set_waker_against_fire();
}

#[test]
#[should_panic(expected = "the timer keeps a waker")]
fn r_timer_11_catches_a_waker_stored_unchecked() {
    mutant::with(Mutant::StoreWakerUnchecked, set_waker_against_fire);
}

/// Two threads that find the same timer in no heap and add it to two sets: it ends in one of them
/// and fires once.
fn add_from_two_threads(armed_before: bool) {
    loom::model(move || {
        let sets = Arc::new([Timers::new(), Timers::new()]);
        let timer = Arc::new(Timer::new());
        if armed_before {
            sets[0].add(&timer, 1, Waker::noop());
            assert_eq!(due(&sets[0], 1), 1);
        }
        let other = {
            let (sets, timer) = (Arc::clone(&sets), Arc::clone(&timer));
            thread::spawn(move || sets[1].add(&timer, 20, &mark()))
        };
        sets[0].add(&timer, 10, &mark());
        other.join().unwrap();
        assert_eq!(sets[0].len() + sets[1].len(), 1, "in two heaps");
        assert_eq!(due(&sets[0], 30) + due(&sets[1], 30), 1);
        assert!(timer.fired());
    });
}

#[test]
fn r_timer_4_first_add_from_two_threads() {
    add_from_two_threads(false);
}

#[test]
fn r_timer_4_add_from_two_threads() {
    add_from_two_threads(true);
}

#[test]
#[should_panic(expected = "in two heaps")]
fn r_timer_4_catches_a_place_taken_unchecked() {
    mutant::with(Mutant::EnterUnchecked, || add_from_two_threads(true));
}

/// A timer that goes while its set is swept: its node is used again only when nobody can reach it,
/// and the counts agree.
#[test]
fn t63_drop_against_sweep() {
    loom::model(|| {
        let timers = Arc::new(Timers::new());
        let timer = Timer::new();
        timers.add(&timer, 100, &mark());
        let dropper = thread::spawn(move || drop(timer));
        let next = Timer::new();
        timers.add(&next, 200, &mark());
        dropper.join().unwrap();
        assert_eq!(timers.live(), 1);
        assert_eq!(due(&timers, 300), 1);
        assert!(next.fired());
        assert_eq!((timers.len(), timers.live()), (0, 0));
    });
}
