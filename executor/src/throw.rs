//! The end of the process when an invariant of ours is broken: nothing that the
//! runtime could still do would be right.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// The life of a thread of the runtime. What users write is contained where it is
/// called, so a panic that gets here is ours: without the thread, and with whatever it
/// held, the others would wait for ever.
pub(crate) fn or_throw(sched: &Sched, life: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(life)).is_err() {
        throw(sched, "a thread of the runtime panicked, see above");
    }
}
