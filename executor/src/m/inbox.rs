//! Tasks that only one M may poll, and what that M does for them.

use std::collections::VecDeque;

use crate::g::{ReadyG, TaskRef};

/// See [`MShared::inbox`](super::MShared::inbox).
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) tasks: VecDeque<ReadyG>,
    pub(crate) waiting: bool,
    /// The M blocks in the netpoller itself: a task for it breaks that.
    pub(crate) polling: bool,
    /// A `block_on` is at work here: if it does not wait, it is about to poll.
    pub(crate) serving: bool,
    /// The roots of the `block_on`s at work here, the innermost last.
    pub(crate) roots: Vec<TaskRef>,
}

impl Inbox {
    /// Whether a `block_on` has something to do, or is about to look for it.
    pub(crate) fn is_busy(&self) -> bool {
        !self.tasks.is_empty() || (self.serving && !self.waits())
    }

    /// Whether a `block_on` waits in it for a task of its own.
    pub(crate) fn waits(&self) -> bool {
        self.tasks.is_empty() && (self.waiting || self.polling)
    }
}
