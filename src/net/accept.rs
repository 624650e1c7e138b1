//! Accepting: one accept4 for each connection, as long as there are any.
//!
//! When descriptors or memory run out, the connection stays in the backlog and
//! readiness stays set: nothing is lost, and the accept works again as soon as
//! there are descriptors. The caller gets the error. A caller that tries again at
//! once would turn a core into heat, so the next such error of the same listener
//! is held back for [`PAUSE`]; a connection is not.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gmp_executor::{WaitReason, leaf};
use gmp_reactor::{Direction, Drained};
use gmp_timers::Timer;
use rustix::io::Errno;
use rustix::net::SocketAddrAny;

use crate::async_io::{Io, Readiness};
use crate::time::{Instant, OwnTimer};

/// How far apart errors for want of resources come at least.
const PAUSE: Duration = Duration::from_millis(10);

/// A connection: not registered yet, in non-blocking mode.
pub(super) type Accepted = (OwnedFd, Option<SocketAddrAny>);

pub(super) struct Acceptor<L: AsFd> {
    io: Io<L>,
    /// On the runtime's clock: no error for want of resources before.
    quiet_until: AtomicU64,
    /// For who polls without a seat of its own.
    polled: OwnTimer,
}

enum Step {
    Done(io::Result<Accepted>),
    Wait,
    Pause(u64),
}

impl<L: AsFd> Acceptor<L> {
    /// Of a listening socket in non-blocking mode.
    pub(super) fn new(listener: L) -> io::Result<Acceptor<L>> {
        Ok(Acceptor {
            io: Io::new(listener)?,
            quiet_until: AtomicU64::new(0),
            polled: OwnTimer::new(),
        })
    }

    pub(super) fn get_ref(&self) -> &L {
        self.io.get_ref()
    }

    pub(super) fn into_inner(self) -> L {
        self.io.into_inner()
    }

    pub(super) fn set_deadline(&self, deadline: Option<Instant>) {
        self.io.set_deadline(Direction::Read, deadline);
    }

    pub(super) fn accept(&self, location: &'static Location<'static>) -> Accept<'_, L> {
        Accept {
            acceptor: self,
            wait: self.io.readiness(Direction::Read, location),
            pause: OwnTimer::new(),
            location,
        }
    }

    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<io::Result<Accepted>> {
        ready!(leaf::poll_check(cx));
        self.poll(cx, &self.polled, location, |cx| {
            self.io.poll_readiness(Direction::Read, cx, location)
        })
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        pause: &Timer,
        location: &'static Location<'static>,
        mut wait: impl FnMut(&mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<Accepted>> {
        loop {
            match self.step() {
                Step::Done(result) => return Poll::Ready(result),
                Step::Wait => ready!(wait(cx))?,
                Step::Pause(until) => {
                    leaf::rearm(self.io.reactor(), pause, until, cx.waker());
                    if !pause.fired() {
                        leaf::park(WaitReason::Sleep, location);
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    fn step(&self) -> Step {
        match self.io.try_io(Direction::Read, || accept(&self.io)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Wait,
            Err(error) if is_shortage(&error) => self.shortage(error),
            result => Step::Done(result),
        }
    }

    /// The first of the tasks that meet here after the pause gets the error.
    fn shortage(&self, error: io::Error) -> Step {
        let now = leaf::now();
        let quiet_until = self.quiet_until.load(Ordering::Relaxed); // ord: a number
        if now < quiet_until {
            return Step::Pause(quiet_until);
        }
        let next = leaf::when(PAUSE);
        match self.quiet_until.compare_exchange(
            quiet_until,
            next,
            Ordering::Relaxed, // ord: a number
            Ordering::Relaxed,
        ) {
            Ok(_) => Step::Done(Err(error)),
            Err(later) => Step::Pause(later),
        }
    }
}

impl<L: AsFd> AsFd for Acceptor<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<L: AsFd + fmt::Debug> fmt::Debug for Acceptor<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

/// One connection; may be polled again for the next.
pub(super) struct Accept<'a, L: AsFd> {
    acceptor: &'a Acceptor<L>,
    wait: Readiness<'a>,
    pause: OwnTimer,
    location: &'static Location<'static>,
}

impl<L: AsFd> Accept<'_, L> {
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        ready!(leaf::poll_check(cx));
        let wait = &mut self.wait;
        self.acceptor
            .poll(cx, &self.pause, self.location, |cx| wait.poll_wait(cx))
    }
}

impl<L: AsFd> Future for Accept<'_, L> {
    type Output = io::Result<Accepted>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        self.get_mut().poll_next(cx)
    }
}

impl<L: AsFd> fmt::Debug for Accept<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// A peer that gave up while it waited is nobody's error.
fn accept(listener: &impl AsFd) -> io::Result<(Accepted, Drained)> {
    loop {
        match accept_one(listener) {
            Err(Errno::CONNABORTED | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(accepted) => return Ok((accepted, Drained::No)),
        }
    }
}

#[cfg(not(target_vendor = "apple"))]
fn accept_one(listener: &impl AsFd) -> rustix::io::Result<Accepted> {
    use rustix::net::SocketFlags;
    rustix::net::acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)
}

#[cfg(target_vendor = "apple")]
fn accept_one(listener: &impl AsFd) -> rustix::io::Result<Accepted> {
    let (fd, addr) = rustix::net::acceptfrom(listener)?;
    rustix::io::ioctl_fioclex(&fd)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok((fd, addr))
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}
