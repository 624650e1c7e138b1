//! G: a task. One allocation that holds header, future and, later, output.
//!
//! Who may touch what, decided by the state word alone (`state.rs`):
//!
//! | part | who | from | to |
//! |---|---|---|---|
//! | future | the M that won edge 2 | edge 2 | edge 3, 4 or 5 |
//! | output | that M, then the handle | the poll that ended | edge 5; then the handle's `take`, or its drop |
//! | join waker slot | the handle | `JOIN_WAKER` clear | publishing it |
//! | | the M that completes | edge 5 with `JOIN_WAKER` set | for good |
//! | diagnostic fields | atomics, written by the M that polls | | |
//!
//! `ReadyG` is the right to run a runnable task: whoever has it queues it, runs
//! it or passes it on, and it exists once per task. `TaskRef` is a counted
//! reference that can look, wake and abort.

#[cfg(any(test, not(loom)))]
pub(crate) mod forgotten;
#[cfg(any(test, not(loom)))]
pub(crate) mod prof;
pub(crate) mod refs;
pub(crate) mod state;

#[cfg(not(loom))]
pub(crate) mod cell;
#[cfg(not(loom))]
pub(crate) mod header;
#[cfg(not(loom))]
pub(crate) mod join;
#[cfg(not(loom))]
pub(crate) mod waker;

#[cfg(not(loom))]
pub(crate) use header::{Extra, Header, ReadyG, TaskRef};
