//! A runtime with one P for one run, watched from outside.
//!
//! A scheduler that loses a task does not fail, it stops. Each run therefore has a thread of its
//! own, and the caller waits for it with a limit that only a hang can reach.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use gmp::runtime::{Builder, Rules, Runtime};

/// Both rule sets: with one P they must give the same order.
pub(crate) const RULES: [Rules; 2] = [Rules::Go117, Rules::Default];

/// Far beyond what any program needs on a loaded machine: reached means hung.
const HUNG_AFTER: Duration = Duration::from_secs(60);

/// What came of a watched run.
#[derive(Debug)]
pub(crate) enum Run<T> {
    /// The root task ended with this, after so much time in the runtime.
    Ended(T, Duration),
    /// The root task or the runtime panicked; the message is on standard error.
    Panicked,
    /// Nothing came back in time; the thread is left behind.
    Hung,
}

/// A runtime in which nothing but the program decides who runs.
fn build(rules: Rules) -> Runtime {
    Builder::new()
        .procs(1)
        .rules(rules)
        // What the runtime does by the clock is not under test: no preemption, and no P taken from
        // a poll that the kernel stopped (a page fault is enough on a machine short of memory).
        .time_slice(Duration::from_secs(10))
        .handoff(false)
        .build()
        .expect("a runtime with one P can be built")
}

/// What `root` gives as a task of its own on a fresh one-P runtime.
///
/// `root` is spawned, not passed to `block_on`: the root of `block_on` is tied to the calling
/// thread, and how it changes threads is no part of the order. It waits for `root` and is not
/// ready before `root` ends.
pub(crate) fn run<F>(rules: Rules, root: F) -> Run<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let (done, outcome) = mpsc::channel();
    let thread = thread::Builder::new().name("one-p".into());
    let handle = thread
        .spawn(move || {
            let runtime = build(rules);
            let start = Instant::now();
            let output = runtime.block_on(async { gmp::spawn(root).await });
            let taken = start.elapsed();
            // Parked tasks end with their runtime; a hang in there counts as well.
            drop(runtime);
            if let Ok(output) = output {
                // Nobody listens after the limit has passed, and then the answer is out.
                let _ = done.send((output, taken));
            }
        })
        .expect("a thread can be started");
    match outcome.recv_timeout(HUNG_AFTER) {
        Ok((output, taken)) => {
            handle.join().expect("the thread has nothing left to do");
            Run::Ended(output, taken)
        }
        Err(RecvTimeoutError::Disconnected) => Run::Panicked,
        Err(RecvTimeoutError::Timeout) => Run::Hung,
    }
}
