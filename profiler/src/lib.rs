//! Diagnostics of gmp: what every task is doing, in Go's form.
//!
//! The executor keeps a park record in each task (wait reason, place, since) and
//! answers snapshots; the formats are here.

mod dump;
#[cfg(feature = "flamegraph")]
mod flame;
mod folded;
mod frames;
mod grouped;
mod groups;
mod json;
pub mod labels;
pub mod leak;
mod pprof;
mod profile;
mod quote;
mod recover;
mod sigquit;
mod symbols;
mod text;
mod waiting;

pub use crate::dump::dump;
pub use crate::grouped::{Grouped, grouped};
pub use crate::profile::{Profile, tasks};
pub use crate::recover::{
    CatchPanic, PanicReport, catch_panic, note_panics, set_panic_reporter, take_report,
};
#[cfg(feature = "tower")]
pub use crate::recover::{Recover, RecoverFuture, RecoverLayer};
#[doc(hidden)]
pub use crate::sigquit::QuitListener;
pub use crate::sigquit::{ParseSigQuitError, SigQuit, on_sigquit};
pub use crate::symbols::{NoFramePointers, park_stacks, poll_stacks};
pub use crate::waiting::{Waiting, waiting};
pub use gmp_executor::WaitReason;
pub use gmp_executor::snapshot::{Mode, Shot, Status, Straggler, TaskInfo};
pub use gmp_executor::suspend::{StillRunning, Suspended};

use std::time::Duration;

use gmp_executor::{Handle, snapshot};

use crate::symbols::Resolver;

/// The running task alone, in Go's form; empty outside a task. It takes no lock
/// and stops nothing, so a panic handler may call it.
///
/// ```
/// let text = gmp_executor::Handle::current().block_on(async { gmp_profiler::stack() });
/// assert!(text.starts_with("goroutine "), "{text}");
/// assert!(text.contains("[running"), "{text}");
/// ```
pub fn stack() -> String {
    snapshot::current().map_or_else(String::new, |task| {
        text::block(&task, &mut Resolver::default())
    })
}

/// Every task of this thread's runtime, in Go's form, in the order of ids, after
/// lines that begin with `#` and say how the snapshot went ([`Profile::head`]).
///
/// ```
/// let handle = gmp_executor::Handle::current();
/// let waiting = handle.spawn(std::future::pending::<()>());
/// let text = handle.block_on(async { gmp_profiler::stack_all() });
/// assert!(text.contains(&format!("goroutine {} [", waiting.id())), "{text}");
/// waiting.abort();
/// ```
pub fn stack_all() -> String {
    let tasks = tasks();
    format!("{}\n{}", tasks.head(), tasks.to_text(2))
}

/// Every task of this thread's runtime.
pub fn snapshot() -> Vec<TaskInfo> {
    snapshot::tasks(&Handle::current())
}

/// Suspends a task of this thread's runtime until the result is dropped; waits
/// at most `deadline` for one that runs.
///
/// # Errors
/// [`StillRunning`]: it reached no safe-point in time, or it is in a blocking
/// section. A task cannot suspend itself; that gives the same error at once.
///
/// ```
/// use std::time::Duration;
///
/// gmp_executor::Handle::current().block_on(async {
///     let task = gmp_executor::spawn(std::future::pending::<()>());
///     let held = gmp_profiler::suspend(task.id(), Duration::from_secs(1)).expect("it waits");
///     task.abort();
///     assert!(!task.is_finished());
///     drop(held);
///     assert!(task.await.unwrap_err().is_cancelled());
/// });
/// ```
pub fn suspend(id: gmp_executor::Id, deadline: Duration) -> Result<Suspended, StillRunning> {
    if gmp_executor::suspend::is_current(id.get()) {
        return Err(StillRunning {
            id: id.get(),
            blocking: false,
        });
    }
    gmp_executor::suspend::suspend(&Handle::current(), id.get(), deadline)
}

/// How many tasks of this thread's runtime have not ended.
pub fn num_tasks() -> usize {
    Handle::current().num_tasks()
}
