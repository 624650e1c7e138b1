//! What every task is doing: see the functions.
//!
//! ```
//! # gmp::block_on(async {
//! let task = gmp::spawn(gmp::time::sleep(std::time::Duration::from_secs(60)));
//! gmp::task::yield_now().await;
//! gmp::time::sleep(std::time::Duration::from_millis(5)).await;
//! let text = gmp::profiler::stack_all();
//! assert!(text.contains("[sleep]:"), "{text}");
//! task.abort();
//! # });
//! ```

pub use gmp_profiler::{
    CatchPanic, Grouped, Mode, NoFramePointers, PanicReport, ParseSigQuitError, Profile, Shot,
    SigQuit, Status, StillRunning, Straggler, Suspended, TaskInfo, WaitReason, Waiting,
    catch_panic, dump, grouped, labels, leak, note_panics, num_tasks, on_sigquit, park_stacks,
    poll_stacks, set_panic_reporter, snapshot, stack, stack_all, suspend, take_report, tasks,
    waiting,
};
#[cfg(feature = "tower")]
pub use gmp_profiler::{Recover, RecoverFuture, RecoverLayer};
