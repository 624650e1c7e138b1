//! Why a wait of one direction may not go on: closed, deadline passed, event
//! error (R-POLL-4), with the deadline's sequence number (R-POLL-11), all in
//! one word, so that the ready path reads one word and a stale deadline is told
//! apart by one compare-and-swap.
//!
//! Whoever changes the word to stop a wait passes the slot's word afterwards
//! ([`Slot::unblock`] or [`Slot::set_ready`]); whoever waits announces itself
//! there and looks here afterwards. One of the two sees the other.
//!
//! Hence every access here is Relaxed: the slot's word carries the order, for
//! who is about to wait (model gate_vs_park) and, with the waker, for who is
//! woken. Nothing but the word itself is published through it.
//!
//! [`Slot::unblock`]: crate::slot::Slot::unblock
//! [`Slot::set_ready`]: crate::slot::Slot::set_ready

use std::fmt;
use std::io;

use crate::sync::{AtomicU64, Ordering};

const CLOSED: u64 = 1;
const EXPIRED: u64 = 2;
const EVENT_ERROR: u64 = 4;
const SEQUENCE: u64 = 8;
const SEQUENCE_SHIFT: u32 = SEQUENCE.trailing_zeros();

pub(crate) struct Gate {
    word: AtomicU64,
}

/// Why a wait ends without readiness, in the order in which it is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    Closed,
    Expired,
    EventError,
    Elsewhere,
}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Closed => {
                Self::other("the gmp runtime that this socket is registered with has shut down")
            }
            Stop::Expired => Self::new(
                io::ErrorKind::TimedOut,
                "the deadline of this operation has passed",
            ),
            Stop::Elsewhere => Self::other(
                "this process is a child of fork, and the gmp runtime of this socket is its \
                 parent's: open the socket in the child, on a runtime that the child has built",
            ),
            Stop::EventError => Self::other(
                "the system reports an error and nothing else for this descriptor: it cannot be waited for",
            ),
        }
    }
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
        }
    }

    fn load(&self) -> u64 {
        // ord: Relaxed: see the module
        self.word.load(Ordering::Relaxed)
    }

    /// Whether an operation may start.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Stop> {
        match self.load() {
            word if word & CLOSED != 0 => Err(Stop::Closed),
            word if word & EXPIRED != 0 => Err(Stop::Expired),
            _ => Ok(()),
        }
    }

    /// Whether an operation may wait. Only here does an event error count: an
    /// operation that the system can carry out reports a better one.
    pub(crate) fn check_wait(&self) -> Result<(), Stop> {
        self.check()?;
        if self.load() & EVENT_ERROR != 0 {
            Err(Stop::EventError)
        } else {
            Ok(())
        }
    }

    /// Starts a new deadline, expired or not; the sequence number comes back.
    pub(crate) fn set_deadline(&self, expired: bool) -> u64 {
        let mut old = self.word.load(Ordering::Relaxed);
        loop {
            let kept = old & !EXPIRED;
            let new = kept.wrapping_add(SEQUENCE) | if expired { EXPIRED } else { 0 };
            // ord: Relaxed: see the module
            match self
                .word
                .compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return new >> SEQUENCE_SHIFT,
                Err(found) => old = found,
            }
        }
    }

    /// Marks the deadline with this sequence number as passed; false when it
    /// has been replaced meanwhile.
    pub(crate) fn expire(&self, sequence: u64) -> bool {
        let mut old = self.word.load(Ordering::Relaxed);
        loop {
            let current = old >> SEQUENCE_SHIFT == sequence;
            #[cfg(loom)]
            let current = current || crate::sync::faulty(crate::sync::Fault::AnySequence);
            if !current {
                return false;
            }
            // ord: Relaxed: see the module; model stale_deadline
            match self.word.compare_exchange_weak(
                old,
                old | EXPIRED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(found) => old = found,
            }
        }
    }

    /// For good; the deadline that may be running is stale from here.
    pub(crate) fn close(&self) {
        // ord: Relaxed: see the module
        self.word.fetch_or(CLOSED, Ordering::Relaxed);
        // ord: Relaxed: see the module
        self.word.fetch_add(SEQUENCE, Ordering::Relaxed);
    }

    /// What the latest event said: the error bit exactly, or more than that.
    pub(crate) fn set_event_error(&self, error: bool) {
        // ord: Relaxed look: nearly every event leaves the bit as it is, and
        // the slot's word that the event passes next carries the order
        let set = self.word.load(Ordering::Relaxed) & EVENT_ERROR != 0;
        if error && !set {
            self.word.fetch_or(EVENT_ERROR, Ordering::Relaxed);
        } else if !error && set {
            self.word.fetch_and(!EVENT_ERROR, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Gate")
            .field("closed", &(word & CLOSED != 0))
            .field("expired", &(word & EXPIRED != 0))
            .field("event_error", &(word & EVENT_ERROR != 0))
            .field("sequence", &(word >> SEQUENCE_SHIFT))
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Rule R-POLL-4: closing before time-out before event error.
    #[test]
    fn errors_are_reported_in_the_order_closing_timeout_event_error() {
        let gate = Gate::new();
        assert_eq!(gate.check_wait(), Ok(()));
        gate.set_event_error(true);
        assert_eq!(gate.check(), Ok(()));
        assert_eq!(gate.check_wait(), Err(Stop::EventError));
        let sequence = gate.set_deadline(true);
        assert_eq!(gate.check_wait(), Err(Stop::Expired));
        gate.close();
        assert_eq!(gate.check(), Err(Stop::Closed));
        assert_eq!(gate.check_wait(), Err(Stop::Closed));
        assert!(!gate.expire(sequence), "closing makes the deadline stale");
    }

    /// Rule R-POLL-11: each change bumps the number, a stale one does nothing.
    #[test]
    fn only_the_latest_deadline_expires() {
        let gate = Gate::new();
        let first = gate.set_deadline(false);
        let second = gate.set_deadline(false);
        assert_ne!(first, second);
        assert!(!gate.expire(first));
        assert_eq!(gate.check(), Ok(()));
        assert!(gate.expire(second));
        assert_eq!(gate.check(), Err(Stop::Expired));
        gate.set_deadline(false);
        assert_eq!(gate.check(), Ok(()));
    }

    #[test]
    fn the_event_error_follows_the_latest_event() {
        let gate = Gate::new();
        gate.set_event_error(true);
        gate.set_event_error(true);
        gate.set_event_error(false);
        assert_eq!(gate.check_wait(), Ok(()));
    }
}
