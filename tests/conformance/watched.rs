//! Runtimes with several Ps, watched from outside; and trials for what a loaded
//! machine may spoil.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use gmp::runtime::{Builder, Rules, Runtime};

/// Far beyond what any test needs on a loaded machine: reached means hung.
const HUNG_AFTER: Duration = Duration::from_secs(60);

/// How often a test that looks at a clock may be spoilt by other programs.
const TRIALS: u32 = 5;

/// `procs` Ps that stay with their polls, however long these last.
pub(crate) fn builder(rules: Rules, procs: usize) -> Builder {
    Builder::new().procs(procs).rules(rules).handoff(false)
}

/// What `test` gives, on a thread of its own with a fresh runtime.
///
/// # Panics
/// If the test panics, and if nothing comes of it in time: a scheduler that
/// loses a task does not fail, it stops.
pub(crate) fn watch<T: Send + 'static>(
    builder: Builder,
    test: impl FnOnce(&Runtime) -> T + Send + 'static,
) -> T {
    let (done, outcome) = mpsc::channel();
    let handle = thread::Builder::new()
        .name("watched".into())
        .spawn(move || {
            let runtime = builder.build().expect("a runtime can be built");
            let output = test(&runtime);
            drop(runtime);
            // Nobody listens after the limit has passed.
            let _ = done.send(output);
        })
        .expect("a thread can be started");
    match outcome.recv_timeout(HUNG_AFTER) {
        Ok(output) => {
            handle.join().expect("the thread has nothing left to do");
            output
        }
        Err(RecvTimeoutError::Disconnected) => panic!("the test failed on its own thread"),
        Err(RecvTimeoutError::Timeout) => panic!("nothing happens any more"),
    }
}

/// As [`watch`], for a future that is a task of its own, not the root.
pub(crate) fn watch_task<F>(builder: Builder, task: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    watch(builder, |runtime| {
        let task = runtime.spawn(task);
        runtime.block_on(task).expect("the task ends by itself")
    })
}

/// Tries until `trial` is content; it says what it found wrong.
pub(crate) fn in_trials(mut trial: impl FnMut() -> Result<(), String>) {
    for left in (0..TRIALS).rev() {
        match trial() {
            Ok(()) => return,
            Err(wrong) if left == 0 => panic!("{wrong}, the last of {TRIALS} trials"),
            Err(_) => {}
        }
    }
}

/// Whether the machine can run `n` threads at once; if not, says so.
pub(crate) fn has_cores(n: usize) -> bool {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores < n {
        eprintln!("skipped: {cores} core(s), {n} needed");
    }
    cores >= n
}
