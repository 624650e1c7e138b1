//! A test on a runtime of its own, within a time limit.

use std::time::Duration;

use gmp::runtime::{Builder, Runtime};

/// Runs `test` on a runtime of `procs` Ps, which is returned for a look at what is
/// left in it.
///
/// # Panics
/// If the test is not over after `seconds`, with the stacks of all tasks.
#[track_caller]
pub(crate) fn limited(procs: usize, seconds: u64, test: impl Future<Output = ()>) -> Runtime {
    let runtime = Builder::new().procs(procs).build().unwrap();
    let limit = Duration::from_secs(seconds);
    if runtime.block_on(gmp::time::timeout(limit, test)).is_err() {
        let tasks = runtime.block_on(async { gmp::profiler::stack_all() });
        panic!("the test hangs, or leaves tasks behind:\n{tasks}");
    }
    runtime
}
