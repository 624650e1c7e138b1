//! How the end of a child becomes known: by a pidfd, or by `SIGCHLD`.
//!
//! Both only say that it is worth asking; the answer is always `waitid`'s, by way
//! of std's child, which never asks again once it has a status. So a pid is used
//! only as long as it is this child's.

use std::fmt;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::panic::Location;
use std::process::{Child, ExitStatus};
use std::task::{Context, Poll, ready};

use gmp_executor::{WaitReason, leaf};
#[cfg(target_os = "linux")]
use gmp_reactor::{Direction, Drained};
#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, PidfdFlags, pidfd_open};

#[cfg(target_os = "linux")]
use crate::async_io::Io;
use crate::signal::{Signal, SignalKind, unix};

/// A child whose status nobody has taken yet.
pub(super) struct Live {
    child: Child,
    exit: Exit,
}

enum Exit {
    /// Readable as soon as there is a status.
    #[cfg(target_os = "linux")]
    Pidfd(Io<OwnedFd>),
    /// Every child's end is told here.
    Signal(Signal),
}

impl Live {
    /// Watches `child`. If that fails it is handed back with the error.
    pub(super) fn new(child: Child) -> Result<Live, (Child, io::Error)> {
        #[cfg(target_os = "linux")]
        match pidfd(&child) {
            Ok(Some(pidfd)) => {
                let exit = Exit::Pidfd(pidfd);
                return Ok(Live { child, exit });
            }
            Ok(None) => {}
            Err(error) => return Err((child, error)),
        }
        Live::by_signal(child)
    }

    /// As [`Live::new`], by `SIGCHLD`.
    fn by_signal(child: Child) -> Result<Live, (Child, io::Error)> {
        // The listener is there before the first question, so no end is missed.
        match unix(SignalKind::child()) {
            Ok(signal) => Ok(Live {
                child,
                exit: Exit::Signal(signal),
            }),
            Err(error) => Err((child, error)),
        }
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn into_child(self) -> Child {
        self.child
    }

    /// The status, when there is one. The task of the last call is woken.
    pub(super) fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<io::Result<ExitStatus>> {
        let Live { child, exit } = self;
        match exit {
            #[cfg(target_os = "linux")]
            Exit::Pidfd(io) => io.poll_io(Direction::Read, cx, location, || {
                let status = child.try_wait()?.ok_or(io::ErrorKind::WouldBlock)?;
                Ok((status, Drained::No))
            }),
            Exit::Signal(signal) => {
                ready!(leaf::poll_check(cx));
                loop {
                    if let Some(status) = child.try_wait()? {
                        return Poll::Ready(Ok(status));
                    }
                    match signal.poll_recv(cx) {
                        Poll::Ready(Some(())) => {}
                        Poll::Ready(None) => {
                            let error = io::Error::other("the runtime has shut down");
                            return Poll::Ready(Err(error));
                        }
                        Poll::Pending => {
                            leaf::park(WaitReason::IoWait, location);
                            return Poll::Pending;
                        }
                    }
                }
            }
        }
    }
}

/// A registered pidfd; `None` where there are none.
#[cfg(target_os = "linux")]
fn pidfd(child: &Child) -> io::Result<Option<Io<OwnedFd>>> {
    // Nobody has waited for the child, so the pid is still its own.
    match pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        Ok(fd) => Io::new(fd).map(Some),
        // An old kernel, or a filter of system calls that is older than pidfds.
        Err(Errno::NOSYS | Errno::PERM) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match &self.exit {
            #[cfg(target_os = "linux")]
            Exit::Pidfd(_) => "pidfd",
            Exit::Signal(_) => "SIGCHLD",
        };
        f.debug_struct("Live")
            .field("id", &self.id())
            .field("by", &by)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::process::orphan;
    use crate::runtime::Builder;

    fn on_each(test: impl AsyncFn()) {
        for procs in [1, 2] {
            let runtime = Builder::new().procs(procs).build().expect("a runtime");
            runtime
                .block_on(crate::time::timeout(Duration::from_secs(60), test()))
                .expect("the test hangs");
        }
    }

    /// A child that ends with its input.
    fn cat() -> Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("cat")
    }

    async fn end(live: &mut Live) -> ExitStatus {
        let location = Location::caller();
        let end = poll_fn(|cx| live.poll_end(cx, location)).await;
        end.expect("a status")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_is_watched_by_its_pidfd() {
        on_each(async || {
            let mut live = Live::new(cat()).expect("watched");
            assert!(format!("{live:?}").contains("pidfd"), "{live:?}");
            drop(live.child().stdin.take());
            assert!(end(&mut live).await.success());
        });
    }

    #[test]
    fn sigchld_tells_the_end_of_each_of_many() {
        on_each(async || {
            let mut lives: Vec<Live> = (0..20)
                .map(|_| Live::by_signal(cat()).expect("watched"))
                .collect();
            for live in &mut lives {
                let location = Location::caller();
                let mut wait = poll_fn(|cx| live.poll_end(cx, location));
                assert!(futures::poll!(&mut wait).is_pending());
            }
            let waits = lives.into_iter().map(|mut live| {
                crate::spawn(async move {
                    drop(live.child().stdin.take());
                    end(&mut live).await
                })
            });
            for wait in waits.collect::<Vec<_>>() {
                assert!(wait.await.expect("no panic").success());
            }
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_orphan_that_sigchld_tells_of_is_reaped() {
        on_each(async || {
            let mut live = Live::by_signal(cat()).expect("watched");
            let stdin = live.child().stdin.take();
            let stat = format!("/proc/{}/stat", live.id());
            orphan::adopt(live);
            assert!(std::fs::exists(&stat).expect("an answer"));
            drop(stdin);
            while std::fs::exists(&stat).expect("an answer") {
                crate::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
}
