//! What `SIGQUIT` (ctrl-\) does: the dump of all tasks, as in Go.
//!
//! The handler writes a byte into a socket. A thread that no scheduler knows reads
//! it and writes the dump, so there is an answer while every P computes or blocks.
//!
//! Invariants:
//! 1. The handler only calls what POSIX allows in one: no lock, no allocation.
//! 2. A listener of the program's own for the signal takes it away from us, as
//!    `signal.Notify` does in Go.
//! 3. A child of fork has the handler and not the thread, and the socket is its
//!    parent's. There the signal does what the system does, unless the child asks for
//!    a thread of its own.

#![expect(
    unsafe_code,
    reason = "installs a signal handler, which may only make system calls"
)]

use std::fmt;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::dump::dump;
use crate::leak;

/// What `SIGQUIT` does, see [`on_sigquit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigQuit {
    /// What the system does: the process ends.
    Off,
    /// All tasks are written to stderr, and the process goes on.
    Dump,
    /// All tasks are written to stderr, and the process ends with status 2: what
    /// Go does. A second signal meanwhile ends it at once.
    Exit,
}

impl FromStr for SigQuit {
    type Err = ParseSigQuitError;

    /// Reads `off`, `dump` or `exit`.
    fn from_str(text: &str) -> Result<SigQuit, ParseSigQuitError> {
        match text {
            "off" => Ok(SigQuit::Off),
            "dump" => Ok(SigQuit::Dump),
            "exit" => Ok(SigQuit::Exit),
            _ => Err(ParseSigQuitError(())),
        }
    }
}

/// The text is none of `off`, `dump` and `exit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseSigQuitError(());

impl fmt::Display for ParseSigQuitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("takes off, dump or exit")
    }
}

impl std::error::Error for ParseSigQuitError {}

/// What the next signal does.
static WANTED: AtomicU8 = AtomicU8::new(OFF);
const OFF: u8 = 0;
const DUMP: u8 = 1;
const EXIT: u8 = 2;

/// Listeners of the program's own.
static LISTENERS: AtomicU32 = AtomicU32::new(0);

/// Dumps that were asked for and are not written yet.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// The process whose thread writes dumps.
static SERVED: AtomicU32 = AtomicU32::new(0);

/// Decides what `SIGQUIT` does from now on, in the whole process. `#[gmp::main]`
/// asks for [`SigQuit::Exit`]; a library should leave the choice to its program.
/// The environment's `GMP_SIGQUIT=off|dump|exit` wins over every call.
///
/// The dump is that of [`dump`](crate::dump()): every task of every runtime, in Go's
/// text form. A thread called `gmp-diag` writes it, which starts with the first
/// call that asks for a dump and which no scheduler knows: it answers while every
/// P computes. While the program itself listens for the signal
/// (`gmp::signal::unix`), nothing else happens. In a child of fork the signal ends
/// the process, as if nobody had asked; it may ask itself.
///
/// # Errors
/// `InvalidInput` for a bad `GMP_SIGQUIT`; the system's, if it has no descriptors
/// or threads left.
///
/// ```
/// use gmp_profiler::{SigQuit, on_sigquit};
///
/// on_sigquit(SigQuit::Dump)?;
/// # std::io::Result::Ok(())
/// ```
pub fn on_sigquit(wanted: SigQuit) -> io::Result<()> {
    let wanted = match std::env::var_os("GMP_SIGQUIT") {
        None => wanted,
        Some(text) => text.to_string_lossy().parse().map_err(|error| {
            let text = format!("GMP_SIGQUIT={} {error}", text.display());
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?,
    };
    let wanted = match wanted {
        SigQuit::Off => OFF,
        SigQuit::Dump => DUMP,
        SigQuit::Exit => EXIT,
    };
    if wanted != OFF {
        install()?;
    }
    WANTED.store(wanted, Ordering::Relaxed);
    Ok(())
}

/// Starts the thread and puts the handler in place, once in a process.
fn install() -> io::Result<()> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let here = std::process::id();
    if SERVED.load(Ordering::Relaxed) == here {
        return Ok(());
    }
    let (notes, bell) = UnixStream::pair()?;
    std::thread::Builder::new()
        .name("gmp-diag".to_owned())
        .spawn(move || serve(notes))?;
    let ring = move || on_signal(&bell, here);
    // SAFETY: `on_signal` only makes calls that are safe in a handler and does not
    // panic; the registry keeps errno as it was.
    unsafe { signal_hook_registry::register(libc::SIGQUIT, ring) }?;
    ASKED.store(0, Ordering::Relaxed);
    SERVED.store(here, Ordering::Relaxed);
    Ok(())
}

/// The handler, put in place by the process `installer`.
fn on_signal(bell: &UnixStream, installer: u32) {
    if LISTENERS.load(Ordering::Relaxed) > 0 {
        return;
    }
    let here = std::process::id();
    let served = SERVED.load(Ordering::Relaxed) == here;
    if served && installer != here {
        // The handler of a parent; this process's own comes as well.
        return;
    }
    let wanted = WANTED.load(Ordering::Relaxed);
    if !served || wanted == OFF {
        // SAFETY: both calls are safe in a handler; the signal is blocked until it
        // returns, and then does what the system does with it.
        unsafe {
            libc::signal(libc::SIGQUIT, libc::SIG_DFL);
            libc::raise(libc::SIGQUIT);
        }
        return;
    }
    if ASKED.fetch_add(1, Ordering::Relaxed) > 0 && wanted == EXIT {
        // SAFETY: safe in a handler. Whoever asks twice does not want to wait.
        unsafe { libc::_exit(2) }
    }
    let note = [0_u8];
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the descriptor is open as long as the handler exists, the byte is
    // ours. Full is fine: a note waits already.
    let _ = unsafe { libc::send(bell.as_raw_fd(), note.as_ptr().cast(), 1, flags) };
}

/// The thread: a dump for each time that somebody asks.
fn serve(mut notes: UnixStream) {
    gmp_executor::bystander();
    let mut note = [0; 64];
    while let Ok(1..) = notes.read(&mut note) {
        let exit = WANTED.load(Ordering::Relaxed) == EXIT;
        if !exit {
            // What is asked from here on is a new question.
            ASKED.store(0, Ordering::Relaxed);
        }
        let mut out = BufWriter::new(Stderr);
        // Nothing is left to do with a failed write.
        let _ = writeln!(out, "SIGQUIT: quit\n")
            .and_then(|()| dump(&mut out))
            .and_then(|()| out.flush());
        drop(out);
        if exit {
            leak::never_mind();
            std::process::exit(2);
        }
    }
}

/// The descriptor, without std's lock: whoever hangs while it has that one is in the dump.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        // SAFETY: the bytes are the slice's.
        let n = unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// While one exists, `SIGQUIT` belongs to a listener of the program's own.
#[derive(Debug)]
#[must_use = "the signal is the listener's until this is dropped"]
pub struct QuitListener(());

impl QuitListener {
    /// For `gmp::signal`.
    #[expect(clippy::new_without_default, reason = "a default has no effect")]
    pub fn new() -> QuitListener {
        LISTENERS.fetch_add(1, Ordering::Relaxed);
        QuitListener(())
    }
}

impl Drop for QuitListener {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::SigQuit;

    #[test]
    fn settings_are_words() {
        assert_eq!("off".parse(), Ok(SigQuit::Off));
        assert_eq!("dump".parse(), Ok(SigQuit::Dump));
        assert_eq!("exit".parse(), Ok(SigQuit::Exit));
        let error = "Exit".parse::<SigQuit>().expect_err("a capital letter");
        assert_eq!(error.to_string(), "takes off, dump or exit");
    }
}
