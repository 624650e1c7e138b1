//! A child of `fork`, with a time limit and what it has to say.
//!
//! Its memory is a copy of this process with one thread, so use it in a process
//! that runs one test (see `child.rs`).

use std::any::Any;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Forked {
    /// Its exit status, or minus the signal that ended it.
    pub(crate) status: i32,
    /// The text of the panic of its body; empty if there was none.
    pub(crate) said: String,
}

impl Forked {
    #[track_caller]
    pub(crate) fn ended_well(&self) {
        assert_eq!(self.status, 0, "the child says: {}", self.said);
    }
}

/// The text of a panic's payload.
fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text")
        .to_owned()
}

/// Runs `body` in a child and exits it with 0, or with 101 if it panics.
///
/// # Panics
/// If the child hangs: it is killed after 20 seconds.
#[track_caller]
pub(crate) fn fork(body: impl FnOnce()) -> Forked {
    let (mut said, mut say) = std::io::pipe().expect("a pipe");
    // SAFETY: the child keeps to what glibc allows it (its allocator works) and
    // ends with `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "no child: {}", std::io::Error::last_os_error());
    if pid == 0 {
        let ended = catch_unwind(AssertUnwindSafe(body));
        let status = match ended {
            Ok(()) => 0,
            Err(payload) => {
                let _ = say.write_all(text(&*payload).as_bytes());
                101
            }
        };
        // SAFETY: nothing of the parent's may run at this end.
        unsafe { libc::_exit(status) };
    }
    drop(say);
    let status = reap(pid);
    // All of it is in the pipe. No thread reads it: the next child would inherit the
    // standard library's locks from one that starts or ends.
    let mut text = [0; 4096];
    // SAFETY: the descriptor is ours.
    unsafe { libc::fcntl(said.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    let n = said.read(&mut text).unwrap_or(0);
    let said = String::from_utf8_lossy(&text[..n]).into_owned();
    Forked { status, said }
}

/// Waits for a child's end: its exit status, or minus the signal.
///
/// # Panics
/// If it hangs.
#[track_caller]
pub(crate) fn reap(pid: libc::pid_t) -> i32 {
    let patience = Instant::now() + Duration::from_secs(20);
    let mut status = 0;
    loop {
        // SAFETY: the place is valid, and the child is ours.
        let done = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
        if done == pid {
            break;
        }
        assert!(done == 0, "no such child");
        if Instant::now() > patience {
            // SAFETY: the child is ours and not reaped yet.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            panic!("the child of fork hangs");
        }
        thread::sleep(Duration::from_millis(1));
    }
    if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -libc::WTERMSIG(status)
    }
}
