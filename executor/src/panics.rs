//! What becomes of the panic of a task.
//!
//! A panic that somebody awaits is told by the `JoinError` and by nothing else of
//! ours. One that nobody reads is told in Go's words on stderr, at the moment at
//! which it is certain that nobody will: when the task ends without a handle, or
//! when its handle goes without having been awaited. Both of them drop the output
//! where it lies, and that is the one place that asks here.

#![expect(unsafe_code, reason = "a task that has not ended names its runtime")]

use std::any::Any;
use std::fmt::Write as _;
use std::io::Write as _;

use crate::g::Header;
use crate::g::join::{JoinError, panic_message};
use crate::probe;
use crate::runtime;
use crate::sched::Sched;
use crate::sync::Arc;

/// What a runtime does about a task that panics; see
/// [`Builder::panic_policy`](crate::Builder::panic_policy).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum PanicPolicy {
    /// The task's handle gets the panic. If nobody awaits it, it is told on
    /// stderr.
    #[default]
    Log,
    /// The process ends, as a Go program does: the panic on stderr, then
    /// [`std::process::abort`].
    Abort,
    /// The runtime shuts down: its tasks are dropped, later spawns are cancelled,
    /// and every `block_on` on it panics with the first panic's text.
    Shutdown,
}

impl PanicPolicy {
    pub(crate) fn parse(value: &str) -> Option<PanicPolicy> {
        match value {
            "log" => Some(PanicPolicy::Log),
            "abort" => Some(PanicPolicy::Abort),
            "shutdown" => Some(PanicPolicy::Shutdown),
            _ => None,
        }
    }
}

/// A task's poll or its drop panicked; what comes back says whether the panic is
/// to be told if nobody reads it.
pub(crate) fn task_panicked(header: &Header, payload: &(dyn Any + Send)) -> bool {
    probe::task_panicked(header, payload);
    // The root of a `block_on`: its panic goes on in the caller.
    // A child of fork is told by its end what it did (fork.rs).
    if header.is_system() || header.state.load().is_elsewhere() {
        return false;
    }
    // SAFETY: valid while the task is not dead, and it is about to end.
    let sched = unsafe { header.sched.as_ref() };
    sched.panicked.add_shared(1);
    match sched.config.panic_policy {
        PanicPolicy::Log => sched.hooks.panic_handler.is_none(),
        PanicPolicy::Abort => {
            tell(&text(header, payload));
            std::process::abort()
        }
        PanicPolicy::Shutdown => {
            shut_down(header, sched, payload);
            false
        }
    }
}

#[cold]
fn shut_down(header: &Header, sched: &Sched, payload: &(dyn Any + Send)) {
    let message = panic_message(payload).unwrap_or("(no message)");
    let reason = format!(
        "a task panicked, and the panic policy of its runtime is shutdown: goroutine {}, spawned \
         at {}: {message}",
        header.goid, header.spawn_loc
    );
    if sched.fatal.set(reason).is_err() {
        return; // it shuts down already
    }
    tell(&text(header, payload));
    let sched = std::ptr::from_ref(sched);
    // SAFETY: the task is alive, so its runtime is; it came from an Arc.
    unsafe { Arc::increment_strong_count(sched) };
    // SAFETY: the count was just raised.
    runtime::close(&unsafe { Arc::from_raw(sched) });
}

/// The output of a task is dropped where it lies: nobody has read it.
pub(crate) fn unread(header: &Header, error: &JoinError) {
    // A copy in a child of fork is not the child's to tell.
    if header.state.load().is_elsewhere() {
        return;
    }
    error.if_untold(|payload| probe::contain(|| tell(&text(header, payload))));
}

/// In one piece: others write to stderr, too.
fn tell(text: &str) {
    // Nobody is left to hear that stderr is closed.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Go's text: the panic, and the task that it was in. The place of the task is
/// that of its last wait; where the panic itself came from, only the process's
/// panic hook is told.
fn text(header: &Header, payload: &(dyn Any + Send)) -> String {
    let type_name = (header.vtable.type_name)();
    let function = header.name().unwrap_or(type_name);
    let spawner = type_name.strip_suffix("::{{closure}}");
    let at = header.park.location().unwrap_or(header.spawn_loc);
    let created = header.spawn_loc;
    let locked = if header.home().is_some() {
        ", locked to thread"
    } else {
        ""
    };
    let mut text = format!(
        "panic: {}\n\ngoroutine {} [running{locked}]:\n{function}(...)\n\t{}:{} +0x0\ncreated by {}",
        panic_message(payload).unwrap_or("(no message)"),
        header.goid,
        at.file(),
        at.line(),
        spawner.unwrap_or("gmp::spawn"),
    );
    if header.parent() != 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, " in goroutine {}", header.parent());
    }
    let _ = writeln!(text, "\n\t{}:{} +0x0", created.file(), created.line());
    text
}
