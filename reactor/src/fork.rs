//! Which process this is. A child of fork has its parent's memory and none of its
//! threads, and shares the kernel's poller with it: what it took over must stay
//! as it is.
//!
//! The system calls a handler in each child, which counts one generation on. So a
//! look is one load and costs no system call.

#![expect(unsafe_code, reason = "hands the system a function of ours")]

use std::io;

use crate::sync::process::{AtomicBool, AtomicU32, Relaxed};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static WATCHED: AtomicBool = AtomicBool::new(false);

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
    // SAFETY: `in_child` is safe to call where signal handlers are, and stays.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => Ok(()),
        error => {
            WATCHED.store(false, Relaxed); // ord: as above
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Relaxed); // ord: the only thread of the process
}
