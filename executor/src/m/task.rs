//! What an M tells of the task in its poll.

#![expect(unsafe_code, reason = "follows the pointer to the running task")]

use super::M;
use crate::g::Header;
use crate::sync::Arc;

impl M {
    /// The id of the task in its poll; 0: none.
    #[inline]
    pub(crate) fn running_id(&self) -> u64 {
        self.running().map_or(0, |header| header.goid)
    }

    /// The task in its poll. Not to be kept beyond it.
    #[inline]
    pub(crate) fn running(&self) -> Option<&Header> {
        // SAFETY: the running task outlives its poll, and this is its thread.
        unsafe { self.curg.get().as_ref() }
    }

    /// The labels of the task in its poll, at this moment.
    #[inline]
    pub(crate) fn labels(&self) -> u16 {
        // SAFETY: as above.
        unsafe { self.curg.get().as_ref() }.map_or(0, |header| header.park.labels())
    }

    /// What tells this runtime from others.
    #[inline]
    pub(crate) fn sched_addr(&self) -> usize {
        Arc::as_ptr(&self.sched).addr()
    }
}
