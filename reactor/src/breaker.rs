//! The break of a blocked poll (R-POLL-10): many requests, one kernel event,
//! and only a blocking poll uses a request up.
//!
//! The kernel event is edge-triggered, so it is seen once, perhaps by a poll
//! that does not block. That poll passes it on: to the kernel again when some
//! poll is blocked, else as a note in the word, which the next poll that wants
//! to block finds and returns at once. One word holds the request, the note
//! and the number of blocked polls, so the two cannot miss each other.

use std::fmt;

use crate::sync::{AtomicUsize, Ordering};

/// A break was asked for and no blocking poll has answered it yet.
const SENT: usize = 1;
/// Its kernel event has been seen by a poll that does not block.
const NOTED: usize = 2;
const BLOCKED: usize = 4;

pub(crate) struct Breaker {
    word: AtomicUsize,
}

/// What a poll that is about to block has to do.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Enter {
    Block,
    /// A break waits already: look for events, do not block.
    Return,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicUsize::new(0),
        }
    }

    /// Asks for a break; true when the caller must send the kernel event.
    #[must_use]
    pub(crate) fn request(&self) -> bool {
        // ord: publishes the requester's work to the poll that clears the bit,
        // also when the request is merged; pairs with `leave`; model no_break_is_lost
        self.word.fetch_or(SENT, Ordering::AcqRel) & SENT == 0
    }

    /// A poll is about to block. It must call [`Breaker::leave`] afterwards,
    /// whatever comes back here.
    pub(crate) fn enter(&self) -> Enter {
        // ord: Relaxed, form R with `overheard`: it sees this poll, or this sees
        // its note; both are in the word itself. Model no_break_is_swallowed
        if self.word.fetch_add(BLOCKED, Ordering::Relaxed) & NOTED == 0 {
            return Enter::Block;
        }
        self.clear();
        Enter::Return
    }

    /// The poll is back; `harvested` when it met the kernel event. The caller
    /// looks for work after this, so a request that was merged into the cleared
    /// one is not lost.
    pub(crate) fn leave(&self, harvested: bool) {
        if harvested {
            self.clear();
        }
        // ord: Relaxed: the count publishes nothing, and a read-modify-write
        // leaves the release sequence of `request` whole
        self.word.fetch_sub(BLOCKED, Ordering::Relaxed);
    }

    fn clear(&self) {
        // ord: sees the work behind every request merged so far; pairs with
        // `request`; model no_break_is_lost
        self.word.fetch_and(!(SENT | NOTED), Ordering::AcqRel);
    }

    /// A poll that does not block has met the kernel event; true when the
    /// caller must send it again, for a poll that is blocked.
    #[must_use]
    pub(crate) fn overheard(&self) -> bool {
        #[cfg(loom)]
        if crate::sync::faulty(crate::sync::Fault::SwallowBreak) {
            return false;
        }
        let mut old = self.word.load(Ordering::Relaxed);
        loop {
            if old & SENT == 0 {
                return false;
            }
            let blocked = old >= BLOCKED;
            let new = if blocked { old } else { old | NOTED };
            // ord: Relaxed, form R with `enter`: writes even when nothing changes
            match self
                .word
                .compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return blocked,
                Err(found) => old = found,
            }
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Breaker")
            .field("sent", &(word & SENT != 0))
            .field("noted", &(word & NOTED != 0))
            .field("blocked", &(word / BLOCKED))
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Rule R-POLL-10, test T-79: two breaks, one write.
    #[test]
    fn the_second_of_two_breaks_sends_nothing() {
        let breaker = Breaker::new();
        assert!(breaker.request());
        assert!(!breaker.request());
        assert_eq!(breaker.enter(), Enter::Block);
        breaker.leave(true);
        assert!(breaker.request());
    }

    #[test]
    fn an_overheard_break_goes_to_the_blocked_poll_or_to_the_next_one() {
        let breaker = Breaker::new();
        assert!(breaker.request());
        assert_eq!(breaker.enter(), Enter::Block);
        assert!(breaker.overheard(), "one is blocked: send again");
        breaker.leave(false);
        assert!(!breaker.overheard(), "nobody is blocked: note it");
        assert!(!breaker.request(), "the note answers for later requests");
        assert_eq!(breaker.enter(), Enter::Return);
        breaker.leave(false);
        assert_eq!(breaker.enter(), Enter::Block);
        breaker.leave(false);
    }

    #[test]
    fn an_event_without_a_request_is_nothing() {
        let breaker = Breaker::new();
        assert!(!breaker.overheard());
        assert_eq!(breaker.enter(), Enter::Block);
        breaker.leave(true);
        assert!(breaker.request());
    }
}
