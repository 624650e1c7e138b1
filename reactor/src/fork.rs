//! Which process this is. A child of fork has its parent's memory and none of its
//! threads, and shares the kernel's poller with it: what it took over must stay
//! as it is.
//!
//! The system calls a handler in each child, which counts one generation on. So a
//! look is one load and costs no system call.
//!
//! A thread that starts goes through the standard library first, under a lock of its.
//! A child that has inherited this lock from such a thread could start no thread any
//! more. So a fork waits a moment for the threads that are on their way.

#![expect(unsafe_code, reason = "hands the system a function of ours")]

use std::io;
use std::time::Duration;

use crate::sync::process::{AtomicBool, AtomicU32, Relaxed};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Threads of ours between the call that starts them and their first own step.
static STARTING: AtomicU32 = AtomicU32::new(0);

/// What a fork waits for at most, in milliseconds: a thread that is not there by then
/// is kept from running by more than the load.
const PATIENCE: u32 = 1000;

/// The process in which something was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin(u32);

impl Origin {
    /// This process.
    pub fn here() -> Origin {
        // ord: it changes only in a process's first moment, when there is one thread
        Origin(GENERATION.load(Relaxed))
    }

    /// This process, which is told apart from its children from now on, for who needs
    /// that before there is a reactor.
    ///
    /// # Errors
    /// No memory for one more handler.
    pub fn watched() -> io::Result<Origin> {
        watch()?;
        Ok(Origin::here())
    }

    /// Its lowest bits, for whoever has no room for more: a process and its parents
    /// have different ones, as far as 256 generations back.
    pub fn low_bits(self) -> u8 {
        self.0 as u8
    }

    /// Whether this process is another one, a child of fork.
    #[inline]
    pub fn is_elsewhere(self) -> bool {
        self != Origin::here()
    }
}

/// A thread that has been asked for and has not begun.
struct Starting(Origin);

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.0.is_elsewhere() {
            STARTING.fetch_sub(1, Relaxed); // ord: a fork looks again and again
        }
    }
}

/// The body of a thread that is about to be started, for `std::thread::Builder`: until
/// it runs a fork waits for it, up to a second.
pub fn starting<R>(body: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let here = Starting(Origin::here());
    STARTING.fetch_add(1, Relaxed); // ord: as above
    move || {
        drop(here);
        body()
    }
}

/// From now on children are told apart. Done once in a process; who comes second
/// does not wait for the first, or a child might wait for a thread that it lacks.
///
/// # Errors
/// No memory for one more handler.
pub(crate) fn watch() -> io::Result<()> {
    // ord: whether it was done is all
    if WATCHED.swap(true, Relaxed) {
        return Ok(());
    }
    // SAFETY: both are safe to call where signal handlers are, and stay.
    match unsafe { libc::pthread_atfork(Some(before), None, Some(in_child)) } {
        0 => Ok(()),
        error => {
            WATCHED.store(false, Relaxed); // ord: as above
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

unsafe extern "C" fn before() {
    for _ in 0..PATIENCE {
        if STARTING.load(Relaxed) == 0 {
            return; // ord: a thread that begins to start now is too late to matter
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

unsafe extern "C" fn in_child() {
    STARTING.store(0, Relaxed); // ord: the only thread of the process
    GENERATION.fetch_add(1, Relaxed); // ord: the only thread of the process
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_fork_waits_for_threads_that_start() {
        watch().expect("room for a handler");
        let began = std::sync::Arc::new(AtomicBool::new(false));
        // What a thread is before its body runs; a spawn would not show this moment.
        let body = starting({
            let began = began.clone();
            move || began.store(true, Relaxed)
        });
        let thread = std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            body();
        });
        let seen = || i32::from(!began.load(Relaxed));
        // SAFETY: the child looks at one word and ends.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: nothing of the parent's may run at this end.
            unsafe { libc::_exit(seen()) };
        }
        let mut status = -1;
        // SAFETY: the place is valid, and the child is ours.
        let reaped = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!((reaped, status), (pid, 0), "the thread had not begun");
        thread.join().expect("it ends");
        assert_eq!(STARTING.load(Relaxed), 0);
    }
}
