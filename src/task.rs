//! Tasks: spawning, waiting, yielding, blocking.

mod builder;
mod join_set;
mod local;
mod yield_now;

pub use gmp_executor::{
    AbortHandle, Id, JoinError, JoinHandle, block_in_place, spawn, spawn_blocking, spawn_local,
    try_id,
};

pub use crate::task_local;

pub use self::builder::Builder;
pub use self::join_set::JoinSet;
pub use self::local::{AccessError, LocalKey, LocalScope};
pub use self::yield_now::{
    Safepoint, Unconstrained, YieldNow, consume_budget, safepoint, unconstrained, yield_now,
};

/// The futures of this module where Tokio has them.
pub mod futures {
    pub use super::LocalScope as TaskLocalFuture;
}

/// The id of the running task.
///
/// # Panics
/// Outside a task: use [`try_id`] there.
///
/// ```
/// gmp::block_on(async {
///     let task = gmp::spawn(async { gmp::task::id() });
///     let id = task.id();
///     assert_eq!(task.await.expect("no panic"), id);
/// });
/// ```
#[track_caller]
pub fn id() -> Id {
    try_id().expect("gmp::task::id needs a running gmp task: use try_id elsewhere")
}
