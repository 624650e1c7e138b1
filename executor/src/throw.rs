//! The end of the process when an invariant of ours is broken: nothing that the
//! runtime could still do would be right.

use std::io::Write;

use crate::sched::Sched;

/// Prints the scheduler's state and aborts.
#[cold]
pub(crate) fn throw(sched: &Sched, what: &str) -> ! {
    let stderr = std::io::stderr();
    let mut out = stderr.lock();
    // Nothing is left to do with a failed write.
    let _ = writeln!(
        out,
        "fatal error: gmp: {what}\n{}",
        crate::schedtrace::line(sched)
    );
    let _ = writeln!(out, "{sched:?}");
    std::process::abort()
}
