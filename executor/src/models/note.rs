//! A note keeps a wake that comes before, during or after the way to sleep, for
//! one sleep, and carries what the waker wrote (R-P-9).

#![expect(unsafe_code, reason = "opens loom's cells")]

use std::sync::Arc;
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::thread;

use super::explore;
use crate::park::Note;

/// Two notes, for the two ways, and what is handed over with a wake.
struct World {
    there: Note,
    back: Note,
    parcel: UnsafeCell<u32>,
}

// SAFETY: loom fails the model if two threads open the cell at the same time.
unsafe impl Sync for World {}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            there: Note::new(),
            back: Note::new(),
            parcel: UnsafeCell::new(0),
        })
    }

    fn pack(&self, what: u32) {
        // SAFETY: loom checks that nobody else has the cell open.
        self.parcel.with_mut(|parcel| unsafe { *parcel = what });
    }

    fn unpack(&self) -> u32 {
        // SAFETY: loom checks that nobody writes the cell.
        self.parcel.with(|parcel| unsafe { *parcel })
    }
}

/// A note is used again: there, back, and there.
fn reused() {
    explore(|| {
        let world = World::new();
        let waker = thread::spawn({
            let world = world.clone();
            move || {
                world.pack(1);
                world.there.wake();
                world.back.sleep();
                assert_eq!(world.unpack(), 2);
                world.pack(3);
                world.there.wake();
            }
        });
        world.there.sleep();
        assert_eq!(world.unpack(), 1);
        world.pack(2);
        world.back.wake();
        world.there.sleep();
        assert_eq!(world.unpack(), 3);
        waker.join().expect("the waker ends");
    });
}

/// A sleep that times out at any moment loses no wake, and gives it once.
fn timed_out() {
    explore(|| {
        let world = World::new();
        let waker = thread::spawn({
            let world = world.clone();
            move || {
                world.pack(1);
                world.there.wake();
            }
        });
        let woken = (0..2).any(|_| world.there.sleep_for(Some(Duration::ZERO)));
        if !woken {
            world.there.sleep();
        }
        assert_eq!(world.unpack(), 1);
        waker.join().expect("the waker ends");
        assert!(
            !world.there.sleep_for(Some(Duration::ZERO)),
            "one wake ended two sleeps"
        );
    });
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        "note": reused, timed_out;
        catches_a_wake_that_wants_a_sleeper: Mutant::WakeOnlyASleeper, reused, "";
        catches_a_sleep_without_a_look: Mutant::SleepUnchecked, reused, ""
    }
}
