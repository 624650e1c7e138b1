#![doc = include_str!("idle/README.md")]

use crate::sync::{AtomicU32, Ordering, store_load_fence};

const ONE_IDLE: u32 = 1;
const ONE_SPINNING: u32 = 1 << 16;
const LOW: u32 = 0xffff;

/// Idle Ps (low half) and spinning Ms (high half) in one word, so that a waker
/// reads both at one moment.
#[derive(Debug)]
pub(crate) struct Idle {
    word: AtomicU32,
    /// Somebody had work and found no idle P: whoever is about to drop its P
    /// without having searched must search first (L-3). Changed under the
    /// scheduler lock.
    need_spinning: AtomicU32,
}

/// One reading of the word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    /// Ps on the idle list, Go's `npidle`.
    pub(crate) idle: u32,
    /// Ms that search, Go's `nmspinning`.
    pub(crate) spinning: u32,
}

impl Counts {
    fn of(word: u32) -> Counts {
        Counts {
            idle: word & LOW,
            spinning: word >> 16,
        }
    }
}

impl Idle {
    pub(crate) fn new() -> Idle {
        Idle {
            word: AtomicU32::new(0),
            need_spinning: AtomicU32::new(0),
        }
    }

    /// A hint for heuristics and metrics.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of(self.word.load(Ordering::Relaxed)) // ord: hint
    }

    /// Step 2 and 3 of the submitter: after its work is published. True: the
    /// caller has become the starter of a spinning M (the count is already
    /// raised) and must start one or call [`Idle::undo_spinning`].
    pub(crate) fn must_wake(&self) -> bool {
        store_load_fence(); // form F; partner: Idle::drop_fence; model no_lost_wakeup
        let mut word = self.word.load(Ordering::Relaxed); // ord: the fence orders it
        loop {
            let counts = Counts::of(word);
            if counts.idle == 0 || counts.spinning != 0 {
                return false;
            }
            // ord: a claim only; the scheduler lock publishes the rest
            match self.word.compare_exchange(
                word,
                word + ONE_SPINNING,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// An M wants to search: R-SPIN-3 lets at most half of the busy Ps do so.
    pub(crate) fn try_spin(&self, procs: u32) -> bool {
        let counts = self.counts();
        if 2 * counts.spinning >= procs.saturating_sub(counts.idle) {
            return false;
        }
        self.become_spinning();
        true
    }

    /// Unconditional form, for an M that was told to search.
    pub(crate) fn become_spinning(&self) {
        self.word.fetch_add(ONE_SPINNING, Ordering::AcqRel); // ord: a count
        self.need_spinning.store(0, Ordering::Relaxed); // ord: hint, rechecked under the lock
    }

    /// `handoff_p`: nobody spins and no P is idle; the handed P becomes the
    /// first spinner's.
    pub(crate) fn try_first_spinner(&self) -> bool {
        // ord: a claim, as in must_wake
        let claimed = self
            .word
            .compare_exchange(0, ONE_SPINNING, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if claimed {
            self.need_spinning.store(0, Ordering::Relaxed); // ord: hint
        }
        claimed
    }

    /// A spinning M found work. It must offer a wake-up afterwards (R-SPIN-4).
    pub(crate) fn leave_spinning(&self) {
        let word = self.word.fetch_sub(ONE_SPINNING, Ordering::AcqRel); // ord: a count
        assert!(Counts::of(word).spinning > 0, "gmp: negative nmspinning");
    }

    /// A starter could not start anybody. Must be called under the scheduler
    /// lock: a P that is put on the idle list after this critical section then
    /// sees the count already lowered (README, case 3).
    pub(crate) fn undo_spinning(&self) {
        self.leave_spinning();
    }

    /// Under the scheduler lock: one P more is idle.
    pub(crate) fn p_idle(&self) {
        self.word.fetch_add(ONE_IDLE, Ordering::AcqRel); // ord: seen through drop_fence
    }

    /// Under the scheduler lock: one P less is idle.
    pub(crate) fn p_busy(&self) {
        let word = self.word.fetch_sub(ONE_IDLE, Ordering::AcqRel); // ord: a count
        assert!(Counts::of(word).idle > 0, "gmp: negative npidle");
    }

    /// Step 3 of whoever dropped a P or stopped spinning: after the counts have
    /// changed and before the queues are looked at again.
    pub(crate) fn drop_fence(&self) {
        store_load_fence(); // form F; partner: Idle::must_wake; model no_lost_wakeup
    }

    /// Under the scheduler lock: work was found and no P is idle.
    pub(crate) fn set_need_spinning(&self) {
        self.need_spinning.store(1, Ordering::Relaxed); // ord: the lock orders it
    }

    /// Under the scheduler lock, by an M that is about to drop its P unsearched.
    pub(crate) fn need_spinning(&self) -> bool {
        self.need_spinning.load(Ordering::Relaxed) != 0 // ord: the lock orders it
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Counts, Idle};

    /// Rule R-SPIN-3, T-29: busy 4 of 8: at 0 and 1 spinners one more may spin, at 2 not.
    #[test]
    fn t29_half_of_the_busy_ps_may_spin() {
        let idle = Idle::new();
        for _ in 0..4 {
            idle.p_idle();
        }
        assert!(idle.try_spin(8));
        assert!(idle.try_spin(8));
        assert!(!idle.try_spin(8));
        assert_eq!(
            idle.counts(),
            Counts {
                idle: 4,
                spinning: 2
            }
        );
    }

    /// Rule R-SPIN-2: one starter at a time, none without an idle P.
    #[test]
    fn one_starter_at_a_time() {
        let idle = Idle::new();
        assert!(!idle.must_wake());
        idle.p_idle();
        assert!(idle.must_wake());
        assert!(!idle.must_wake());
        idle.undo_spinning();
        assert!(idle.must_wake());
    }
}
