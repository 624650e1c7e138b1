//! The fence between an M inside a poll and whoever wants to take its P away.
//!
//! Runtime code that is called from inside a poll (a wake, a spawn, a timer)
//! touches P-owned data. At that very moment sysmon may decide that the poll has
//! run for too long and that the P must go on without it. The M's side has to
//! cost next to nothing, so the handshake is asymmetric:
//!
//! ```text
//!  M                                    taker (one at a time)
//!  1 in_runtime = 1                     a word: OWNED -> REQUESTED
//!  2 light fence                        b heavy fence (membarrier)
//!  3 word == OWNED ? use P : no P       c wait until in_runtime == 0
//!  4 in_runtime = 0 (release)           d word: REQUESTED -> TAKEN
//! ```
//!
//! The light fence stops the compiler only; the heavy one makes every running
//! thread of the process execute a full fence. So either step 3 sees REQUESTED,
//! or step c sees in_runtime = 1 and waits for step 4. When the poll ends the M
//! takes a REQUESTED word back to OWNED; that exchange and step d decide who has
//! the P. The word of a taker that gave up is OWNED as well: only TAKEN says that
//! the P is gone. Where membarrier is missing, both fences are full ones; that choice is
//! made once at start-up.
//!
//! Between polls `in_runtime` stays 1: the scheduler's own code owns its P for
//! good, and a taker that meets it gives up after a short wait.

use crate::mutant::{self, Mutant};
use crate::sync::{AtomicU32, Ordering, spin_hint};

const OWNED: u32 = 0;
const REQUESTED: u32 = 1;
const TAKEN: u32 = 2;

/// One per M.
#[derive(Debug)]
pub(crate) struct PFence {
    in_runtime: AtomicU32,
    word: AtomicU32,
}

/// What came of an attempt to take a P.
#[cfg(all(test, not(loom)))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Take {
    /// The P belongs to the taker.
    Taken,
    /// The M is in the scheduler or came back: it keeps its P.
    Kept,
}

impl PFence {
    /// The state of an M outside any poll, with its P or about to get one.
    pub(crate) fn new() -> PFence {
        PFence {
            in_runtime: AtomicU32::new(1),
            word: AtomicU32::new(OWNED),
        }
    }

    /// M only: the poll begins, the P may be taken from now on.
    #[inline]
    pub(crate) fn begin_poll(&self) {
        // ord: publishes all that this M did with its P; pairs with take; model p_fence
        self.in_runtime.store(0, Ordering::Release);
    }

    /// M only: the poll is over. True: the P is still ours, and stays.
    #[inline]
    pub(crate) fn end_poll(&self) -> bool {
        self.in_runtime.store(1, Ordering::Relaxed); // ord: the fence orders it
        light_fence();
        if self.word.load(Ordering::Relaxed) == OWNED {
            return true; // ord: a P that was never asked for; nothing to see
        }
        self.reclaim()
    }

    #[cold]
    fn reclaim(&self) -> bool {
        // ord: decides against step d and against the withdrawal
        match self
            .word
            .compare_exchange(REQUESTED, OWNED, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => true,
            // The taker has lost its patience and withdrawn: still ours.
            Err(word) => word == OWNED && !mutant::is(Mutant::WithdrawnIsLost),
        }
    }

    /// M only, inside a poll: true if the P may be used until [`PFence::leave`].
    /// Nothing of the user's may run in between.
    #[inline]
    pub(crate) fn enter(&self) -> bool {
        self.in_runtime.store(1, Ordering::Relaxed); // ord: the fence orders it
        light_fence();
        self.word.load(Ordering::Relaxed) == OWNED // ord: as in end_poll
    }

    /// M only: ends [`PFence::enter`].
    #[inline]
    pub(crate) fn leave(&self) {
        // ord: publishes the section's writes to P data; pairs with take; model p_fence
        self.in_runtime.store(0, Ordering::Release);
    }

    /// M only: whether this thread is in the scheduler or in a section.
    #[inline]
    pub(crate) fn in_runtime(&self) -> bool {
        self.in_runtime.load(Ordering::Relaxed) != 0 // ord: own word
    }

    /// M only, in the scheduler: a new P was acquired.
    pub(crate) fn reset(&self) {
        debug_assert!(self.in_runtime());
        self.word.store(OWNED, Ordering::Release); // ord: nobody asks before the P names this M
    }

    /// M only, in a section: the P is gone by this M's own doing.
    pub(crate) fn lose(&self) {
        debug_assert!(self.in_runtime());
        self.word.store(TAKEN, Ordering::Release); // ord: read by this M only
    }

    /// By whoever has every P, so that this M can get none: whether it is in code of the
    /// user's, in a poll whose end finds that the P is gone.
    pub(crate) fn is_out(&self) -> bool {
        // ord: sees what the M did before its poll; pairs with begin_poll and leave; model polled
        let polls = self.in_runtime.load(Ordering::Acquire) == 0;
        polls && self.word.load(Ordering::Relaxed) == TAKEN // ord: as above
    }

    /// [`PFence::take_where`] without a look.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn take(&self, patience: u32) -> Take {
        match self.take_where(patience, || ()) {
            Some(()) => Take::Taken,
            None => Take::Kept,
        }
    }

    /// The taker's side. Only one taker at a time, and only while the P names
    /// this M. Gives what `look` saw, if the P was taken: it reads which P it is
    /// while the M cannot change that. After step d the M may be back in the
    /// scheduler with another P already.
    pub(crate) fn take_where<R>(&self, patience: u32, look: impl Fn() -> R) -> Option<R> {
        // ord: the heavy fence orders it; fails only if the P is gone already
        if self
            .word
            .compare_exchange(OWNED, REQUESTED, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            return None;
        }
        heavy_fence();
        for looks in 0..patience {
            if looks > 0 {
                spin_hint();
            }
            // ord: sees the M's writes to P data; pairs with leave and begin_poll; model p_fence
            if self.in_runtime.load(Ordering::Acquire) == 0 {
                let mut seen = look();
                // ord: decides against reclaim
                let won = self.word.compare_exchange(
                    REQUESTED,
                    TAKEN,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                if mutant::is(Mutant::TakenUnclaimed) {
                    self.word.store(TAKEN, Ordering::Release); // ord: a mutant
                } else if won.is_err() {
                    return None;
                }
                if mutant::is(Mutant::LookAfterTaking) {
                    seen = look();
                }
                return Some(seen);
            }
            if self.word.load(Ordering::Relaxed) != REQUESTED {
                return None; // ord: hint; the M came back
            }
        }
        // ord: withdraws; if the M was faster the result is the same
        let _ = self
            .word
            .compare_exchange(REQUESTED, OWNED, Ordering::AcqRel, Ordering::Relaxed);
        None
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
mod barrier {
    use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

    use rustix::thread::{MembarrierCommand, membarrier};

    /// True after a successful registration; the default is the slow, safe way.
    static EXPEDITED: AtomicBool = AtomicBool::new(false);

    /// Registers the process; called before the first M of a process starts.
    pub(crate) fn register() {
        if membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
            && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
        {
            EXPEDITED.store(true, Ordering::SeqCst);
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "one predicted branch on every poll")]
    pub(crate) fn light_fence() {
        if EXPEDITED.load(Ordering::Relaxed) {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    pub(crate) fn heavy_fence() {
        fence(Ordering::SeqCst);
        if EXPEDITED.load(Ordering::Relaxed) {
            membarrier(MembarrierCommand::PrivateExpedited)
                .expect("membarrier worked at registration and is never taken back");
        }
    }
}

#[cfg(any(not(target_os = "linux"), loom))]
mod barrier {
    use crate::sync::store_load_fence;

    #[cfg(not(loom))]
    pub(crate) fn register() {}

    pub(crate) fn light_fence() {
        store_load_fence(); // form F; partner: heavy_fence; model p_fence, model snapshot
    }

    pub(crate) fn heavy_fence() {
        store_load_fence(); // form F; partner: light_fence; model p_fence, model snapshot
    }
}

#[cfg(not(loom))]
pub(crate) use barrier::register;
pub(crate) use barrier::{heavy_fence, light_fence};

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{PFence, Take};

    #[test]
    fn a_p_is_taken_from_a_poll_and_not_from_the_scheduler() {
        super::register();
        let fence = PFence::new();
        assert_eq!(fence.take(3), Take::Kept);
        assert!(fence.end_poll());
        fence.begin_poll();
        assert!(fence.enter());
        fence.leave();
        assert_eq!(fence.take(3), Take::Taken);
        assert!(!fence.enter());
        fence.leave();
        assert!(!fence.end_poll());
        fence.reset();
        fence.begin_poll();
        assert!(fence.enter());
        fence.leave();
    }

    #[test]
    fn an_unanswered_request_is_withdrawn() {
        let fence = PFence::new();
        fence.begin_poll();
        assert!(fence.enter());
        assert_eq!(fence.take(3), Take::Kept);
        fence.leave();
        assert!(fence.enter());
        fence.leave();
        assert!(fence.end_poll());
    }
}
