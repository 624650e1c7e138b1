//! The clock as an M sees it.

use super::M;
use crate::sync::Ordering;

impl M {
    /// The clock, read at most once a round.
    pub(crate) fn now(&self) -> u64 {
        let now = self.now.get();
        if now != 0 {
            return now;
        }
        let now = self.sched.nanotime();
        self.now.set(now);
        now
    }

    /// Whether `when` has come, if need be by the clock. The reading of this round
    /// is not later than the present moment, but on a clock that is moved by hand.
    pub(crate) fn is_due(&self, when: u64) -> bool {
        const PLAINLY: u64 = 10_000_000;
        let round = self.now.get();
        let moves = self.sched.virtual_now.load(Ordering::Relaxed) == 0; // ord: as nanotime
        if moves && round != 0 && when > round.saturating_add(PLAINLY) {
            return false;
        }
        when <= self.sched.nanotime()
    }
}
