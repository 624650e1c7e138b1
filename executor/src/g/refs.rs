//! Who keeps the memory of a task: wakers and handles, counted apart in one
//! word, and the life of the task itself.
//!
//! Low 32 bits: wakers (every clone of the task's waker, which includes timer
//! entries and netpoll registrations). The next 31: handles. The top bit: the
//! task has not ended; it stands for the queue or the poll that has it. The
//! memory goes with the last of them. Apart, because a waiting task without
//! wakers can never run again, and that is worth knowing.

use crate::sync::{AtomicU64, Ordering};

const WAKER: u64 = 1;
const HANDLE: u64 = 1 << 32;
const ALIVE: u64 = 1 << 63;
const WAKERS: u64 = HANDLE - 1;

/// The word.
pub(crate) struct Refs(AtomicU64);

/// What the release of a reference means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Released {
    /// Others remain.
    Kept,
    /// It was the last: free the memory.
    Free,
}

impl Refs {
    /// A live task with one handle.
    pub(crate) fn new() -> Refs {
        Refs(AtomicU64::new(ALIVE | HANDLE))
    }

    pub(crate) fn add_waker(&self) {
        // ord: the caller has a reference already; nothing is published
        let before = self.0.fetch_add(WAKER, Ordering::Relaxed);
        if before & WAKERS > u64::from(u32::MAX / 2) {
            // A leak in a loop; an overflow would free live memory.
            std::process::abort();
        }
    }

    pub(crate) fn add_handle(&self) {
        // ord: as add_waker
        let before = self.0.fetch_add(HANDLE, Ordering::Relaxed);
        if before & !ALIVE > u64::MAX / 4 {
            std::process::abort();
        }
    }

    pub(crate) fn drop_waker(&self) -> Released {
        self.release(WAKER)
    }

    /// As [`Refs::drop_waker`]; calls `last` before, perhaps more than once, if no
    /// waker will be left.
    #[cfg(not(loom))]
    pub(crate) fn drop_waker_watched(&self, last: impl Fn()) -> Released {
        let mut word = self.0.load(Ordering::Acquire); // ord: as in counts
        loop {
            if word & WAKERS == WAKER {
                last();
            }
            // ord: as in release; a failure as the first load
            let sub = self.0.compare_exchange_weak(
                word,
                word - WAKER,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match sub {
                Ok(WAKER) => return Released::Free,
                Ok(_) => return Released::Kept,
                Err(now) => word = now,
            }
        }
    }

    pub(crate) fn drop_handle(&self) -> Released {
        self.release(HANDLE)
    }

    /// The task has ended and is on no queue.
    pub(crate) fn drop_alive(&self) -> Released {
        self.release(ALIVE)
    }

    fn release(&self, what: u64) -> Released {
        // ord: our accesses happen before the free, and the freer sees all; model task_state
        if self.0.fetch_sub(what, Ordering::AcqRel) == what {
            Released::Free
        } else {
            Released::Kept
        }
    }

    /// Wakers and handles now; exact only while nobody else holds a reference.
    pub(crate) fn counts(&self) -> (u32, u32) {
        // ord: sees the wake that came before a waker's drop; model forgotten
        let word = self.0.load(Ordering::Acquire);
        ((word & WAKERS) as u32, ((word & !ALIVE) >> 32) as u32)
    }
}
