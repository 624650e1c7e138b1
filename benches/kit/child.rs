//! A run is a process of its own: how this binary starts as one.

use std::panic;
use std::process;

/// The first argument of the child process; the contender and the rest follow.
pub(crate) const RUN_ONE: &str = "run-one";

/// Makes a panic end the process: a runtime may keep a task's panic to itself, and whoever waits for that task's work
/// would wait for ever.
pub(crate) fn end_on_panic() {
    panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        process::exit(101);
    }));
}
