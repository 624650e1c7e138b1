//! Whether a waiting task can ever be woken again.

use super::refs::Refs;
use super::state::{State, WAITING};

/// Whether the task waits, nobody holds it or aborts it, and no waker of it
/// exists. Then that stays so: a waker comes from another one or from a poll.
///
/// The counts are read between two looks at the state. A wake changes the state
/// before it drops its waker, so whoever sees the last waker gone sees that next;
/// the first look keeps out a task that has no waker because it runs. In between
/// the task must not be polled to its next wait.
pub(crate) fn is_forgotten(state: &State, refs: &Refs) -> bool {
    rests(state) && refs.counts().0 == 0 && rests(state)
}

pub(crate) fn rests(state: &State) -> bool {
    let now = state.load();
    now.status() == WAITING && !now.is_scanned() && !now.is_cancelled()
}
