//! The note of an M: one sleeper, one-shot wake (R-P-9).
//!
//! Not `std::thread::park`: its token belongs to the thread, and a stray unpark
//! from user code would end a sleep of ours. The word has three states so that
//! a wake that comes before the sleep costs no system call.

use std::time::Duration;

use crate::mutant::{self, Mutant};
use crate::sync::{AtomicU32, Ordering};

const CLEAR: u32 = 0;
const ASLEEP: u32 = 1;
const SET: u32 = 2;

/// A one-shot event: [`Note::wake`] once, [`Note::sleep`] once, in any order.
#[derive(Debug)]
pub(crate) struct Note {
    word: AtomicU32,
}

impl Note {
    pub(crate) fn new() -> Note {
        Note {
            word: AtomicU32::new(CLEAR),
        }
    }

    /// Sets the note and wakes its sleeper. Setting a set note does nothing.
    pub(crate) fn wake(&self) {
        // ord: a mutant
        if mutant::is(Mutant::WakeOnlyASleeper) && self.word.load(Ordering::Acquire) != ASLEEP {
            return;
        }
        // ord: publishes what the waker wrote before (nextp); pairs with sleep; model note
        if self.word.swap(SET, Ordering::AcqRel) == ASLEEP {
            futex::wake(&self.word);
        }
    }

    /// Returns when the note is set, and clears it. One thread only.
    pub(crate) fn sleep(&self) {
        while !self.sleep_for(None) {}
    }

    /// As [`Note::sleep`] for at most `timeout`; true if the note was set.
    pub(crate) fn sleep_for(&self, timeout: Option<Duration>) -> bool {
        if mutant::is(Mutant::SleepUnchecked) {
            self.word.store(ASLEEP, Ordering::Relaxed); // ord: a mutant
        }
        // ord: nothing to see yet: the swap below sees the waker's writes
        if self
            .word
            .compare_exchange(CLEAR, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            futex::wait(&self.word, ASLEEP, timeout);
        }
        // ord: sees the waker's writes (nextp) when it finds SET; pairs with wake; model note
        let was = self.word.swap(CLEAR, Ordering::AcqRel);
        was == SET
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
mod futex {
    use std::time::Duration;

    use rustix::thread::futex::{Flags, Timespec, wait as futex_wait, wake as futex_wake};

    use crate::sync::AtomicU32;

    pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
        let timeout = timeout.map(|d| Timespec {
            tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(d.subsec_nanos()),
        });
        // EINTR, EAGAIN and ETIMEDOUT all mean: look at the word again.
        let _ = futex_wait(word, Flags::PRIVATE, expected, timeout.as_ref());
    }

    pub(super) fn wake(word: &AtomicU32) {
        let _ = futex_wake(word, Flags::PRIVATE, 1);
    }
}

/// Systems without a futex: a global table would do better, but a condition
/// variable per hashed address is enough to be correct.
#[cfg(all(not(target_os = "linux"), not(loom)))]
mod futex {
    use std::time::Duration;

    use crate::sync::{AtomicU32, Condvar, Mutex, Ordering, lock};

    struct Bucket {
        mutex: Mutex<()>,
        condvar: Condvar,
    }

    static BUCKETS: [Bucket; 64] = [const {
        Bucket {
            mutex: Mutex::new(()),
            condvar: Condvar::new(),
        }
    }; 64];

    fn bucket(word: &AtomicU32) -> &'static Bucket {
        &BUCKETS[(std::ptr::from_ref(word).addr() >> 4) % BUCKETS.len()]
    }

    pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
        let bucket = bucket(word);
        let guard = lock(&bucket.mutex);
        if word.load(Ordering::Acquire) != expected {
            return;
        }
        match timeout {
            Some(timeout) => drop(bucket.condvar.wait_timeout(guard, timeout)),
            None => drop(bucket.condvar.wait(guard)),
        }
    }

    pub(super) fn wake(word: &AtomicU32) {
        let bucket = bucket(word);
        drop(lock(&bucket.mutex));
        bucket.condvar.notify_all();
    }
}

/// Under the model the futex is a spin: what is checked is the word.
#[cfg(loom)]
mod futex {
    use std::time::Duration;

    use crate::sync::{AtomicU32, Ordering, spin_hint};

    pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
        // A time-out may strike at any moment, so also at once.
        while timeout.is_none() && word.load(Ordering::Relaxed) == expected {
            spin_hint();
        }
    }

    pub(super) fn wake(_: &AtomicU32) {}
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Note;

    #[test]
    fn a_wake_before_the_sleep_is_kept() {
        let note = Note::new();
        note.wake();
        note.sleep();
        assert!(!note.sleep_for(Some(Duration::from_millis(1))));
    }

    #[test]
    fn a_wake_ends_the_sleep_of_another_thread() {
        let note = Arc::new(Note::new());
        let sleeper = std::thread::spawn({
            let note = note.clone();
            move || note.sleep()
        });
        note.wake();
        sleeper.join().expect("the sleeper ends");
    }
}
