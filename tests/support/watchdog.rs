//! A time limit for the body of a test, so that a hang is a failure with a place
//! and a list of what every thread was doing.

use std::fs;
use std::panic::{Location, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Runs `body` on a thread of its own and returns what it returns. A panic of the
/// body goes on here.
///
/// # Panics
/// If the body is not over after `seconds`; its thread is left behind.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(
    seconds: u64,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let place = Location::caller();
    let (over, wait) = channel();
    let thread = thread::Builder::new()
        .name("test-body".to_owned())
        .spawn(move || {
            let output = body();
            // The receiver is gone only if the limit is over already.
            let _ = over.send(());
            output
        })
        .expect("a thread for the test");
    match wait.recv_timeout(Duration::from_secs(seconds)) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        }
        Err(RecvTimeoutError::Timeout) => panic!(
            "the test at {place} hangs: not over after {seconds} s; threads:\n{}",
            threads()
        ),
    }
}

/// Name and state of every thread of this process, where the system shows them.
fn threads() -> String {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return "(not shown by this system)".to_owned();
    };
    let lines = tasks.flatten().map(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let wchan = fs::read_to_string(task.path().join("wchan")).unwrap_or_default();
        let shown: Vec<&str> = stat.split(' ').take(3).collect();
        format!("  {} {wchan}\n", shown.join(" "))
    });
    lines.collect()
}
