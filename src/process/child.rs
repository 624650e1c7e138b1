//! A running program.

use std::io;
use std::mem;
use std::panic::Location;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll, ready};

use super::exit::Live;
use super::orphan;
use super::pipe::{self, ChildStderr, ChildStdin, ChildStdout};
use crate::leaf_fn::leaf_fn;
use crate::task::block_in_place;

/// A program that [`Command::spawn`](super::Command::spawn) has started.
///
/// When it is dropped, its pipes are closed and the program goes on, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) is set; it leaves no zombie
/// behind in either case.
///
/// ```
/// use gmp::process::Command;
///
/// # fn main() -> std::io::Result<()> {
/// # gmp::block_on(async {
/// let mut child = Command::new("sleep").arg("1000").spawn()?;
/// assert!(child.id().is_some());
/// assert!(child.try_wait()?.is_none());
/// child.kill().await?;
/// assert!(!child.wait().await?.success());
/// assert!(child.id().is_none());
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Child {
    /// Its input, if it was to be a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its output, if it was to be a pipe.
    pub stdout: Option<ChildStdout>,
    /// Its errors, if they were to be a pipe.
    pub stderr: Option<ChildStderr>,
    state: State,
    kill_on_drop: bool,
}

#[derive(Debug)]
enum State {
    Running(Live),
    Ended(ExitStatus),
}

impl Child {
    /// Watches `child`, which is killed if that fails.
    pub(super) fn new(mut child: std::process::Child, kill_on_drop: bool) -> io::Result<Child> {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let live = Live::new(child).map_err(|(mut child, error)| {
            // Nobody could take its status later. A killed child ends soon; that
            // it has ended already is fine, too.
            let _ = child.kill();
            let _ = block_in_place(|| child.wait());
            error
        })?;
        let mut child = Child {
            stdin: None,
            stdout: None,
            stderr: None,
            state: State::Running(live),
            kill_on_drop: true,
        };
        child.stdin = pipes.0.map(ChildStdin::from_std).transpose()?;
        child.stdout = pipes.1.map(ChildStdout::from_std).transpose()?;
        child.stderr = pipes.2.map(ChildStderr::from_std).transpose()?;
        child.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    /// The system's number of the process; `None` once its status is known here, for
    /// then the number may be another's.
    pub fn id(&self) -> Option<u32> {
        match &self.state {
            State::Running(live) => Some(live.id()),
            State::Ended(_) => None,
        }
    }

    /// Kills the program (`SIGKILL`) and does not wait for its end. Nothing happens
    /// if it has ended already.
    ///
    /// # Errors
    /// The system's: `PermissionDenied` if the program runs as somebody else.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Running(live) => live.child().kill(),
            State::Ended(_) => Ok(()),
        }
    }

    /// Kills the program (`SIGKILL`) and waits for its end.
    ///
    /// # Errors
    /// As [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    /// Yes. Once polled, the program is killed.
    #[track_caller]
    pub fn kill(&mut self) -> impl Future<Output = io::Result<()>> {
        let location = Location::caller();
        async move {
            self.start_kill()?;
            self.wait_at(location).await.map(drop)
        }
    }

    /// Waits until the program ends. It may be called again: the answer stays.
    ///
    /// [`stdin`](Self::stdin) is closed first, so that a program that reads to the end
    /// of its input comes to its own.
    ///
    /// # Errors
    /// The system's: `ECHILD` if something else in this process took the status, or
    /// has told the system to ignore `SIGCHLD`. One of kind `Other` when the runtime
    /// on which the program was started has shut down.
    ///
    /// # Cancel safety
    /// Yes: the status stays until it is asked for.
    #[track_caller]
    pub fn wait(&mut self) -> impl Future<Output = io::Result<ExitStatus>> {
        self.wait_at(Location::caller())
    }

    pub(super) fn wait_at(
        &mut self,
        location: &'static Location<'static>,
    ) -> impl Future<Output = io::Result<ExitStatus>> {
        leaf_fn(location, move |cx| {
            self.stdin = None;
            self.poll_end(cx, location)
        })
    }

    fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<io::Result<ExitStatus>> {
        let status = match &mut self.state {
            State::Running(live) => ready!(live.poll_end(cx, location))?,
            State::Ended(status) => return Poll::Ready(Ok(*status)),
        };
        self.state = State::Ended(status);
        Poll::Ready(Ok(status))
    }

    /// The status, if the program has ended. [`stdin`](Self::stdin) stays open.
    ///
    /// # Errors
    /// The system's, as for [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = match &mut self.state {
            State::Running(live) => live.child().try_wait()?,
            State::Ended(status) => return Ok(Some(*status)),
        };
        if let Some(status) = status {
            self.state = State::Ended(status);
        }
        Ok(status)
    }

    /// Waits until the program ends and its output does, and returns both.
    ///
    /// [`stdin`](Self::stdin) is closed first. What of [`stdout`](Self::stdout) and
    /// [`stderr`](Self::stderr) is not a pipe, or was taken, is empty. Both are read
    /// while the program runs, so it never waits for the reader.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); those of reading.
    ///
    /// # Cancel safety
    /// No: the output so far is lost, and the child is dropped.
    #[track_caller]
    pub fn wait_with_output(self) -> impl Future<Output = io::Result<Output>> {
        self.output_at(Location::caller())
    }

    pub(super) async fn output_at(
        mut self,
        location: &'static Location<'static>,
    ) -> io::Result<Output> {
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        let (status, stdout, stderr) = futures::try_join!(
            self.wait_at(location),
            pipe::drain(stdout.as_ref().map(ChildStdout::io), location),
            pipe::drain(stderr.as_ref().map(ChildStderr::io), location),
        )?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let state = mem::replace(&mut self.state, State::Ended(ExitStatus::default()));
        if let State::Running(mut live) = state {
            if self.kill_on_drop {
                // It may have ended, or belong to another user by now: then it
                // goes its own way.
                let _ = live.child().kill();
            }
            orphan::adopt(live);
        }
    }
}
