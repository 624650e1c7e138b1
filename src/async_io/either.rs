//! Waits and attempts on one direction or on both.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use gmp_executor::leaf;
use gmp_reactor::{Direction, Drained, Source};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::level;
use super::op::Readiness;
use super::registered::Io;
use crate::io::{Interest, Ready};

/// Waits until one of the directions is thought ready, and tells which are.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct EitherReady<'a> {
    source: &'a Source,
    fd: BorrowedFd<'a>,
    read: Option<Readiness<'a>>,
    write: Option<Readiness<'a>>,
}

impl<S: AsFd> Io<S> {
    pub(crate) fn either_ready(
        &self,
        interest: Interest,
        location: &'static Location<'static>,
    ) -> EitherReady<'_> {
        let wait = |dir, wanted: bool| wanted.then(|| self.readiness(dir, location));
        EitherReady {
            source: self.source(),
            fd: self.as_fd(),
            read: wait(Direction::Read, interest.is_readable()),
            write: wait(Direction::Write, interest.is_writable()),
        }
    }

    /// `op` once, if a direction of the interest is thought ready. If it says
    /// `WouldBlock`, that one is not from then on.
    pub(crate) fn try_either<R>(
        &self,
        interest: Interest,
        op: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let dir = match (interest.is_readable(), interest.is_writable()) {
            (true, true) => return try_both(self, op),
            (true, false) => Direction::Read,
            (false, _) => Direction::Write,
        };
        let op = || op().map(|value| (value, Drained::No));
        self.source().try_io(dir, op)
    }

    /// `op` until it does not say `WouldBlock`.
    pub(crate) async fn either<R>(
        &self,
        interest: Interest,
        location: &'static Location<'static>,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            match self.try_either(interest, &mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.either_ready(interest, location).await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// Nobody tells which direction an `op` for both lacked, and one that is forgotten
/// for nothing would never be announced again: so the system is asked.
fn try_both<S: AsFd, R>(io: &Io<S>, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let thought_ready = |dir| match io.source().try_io(dir, || Ok(((), Drained::No))) {
        Ok(()) => Ok(true),
        Err(error) if is_would_block(&error) => Ok(false),
        Err(error) => Err(error),
    };
    if !thought_ready(Direction::Read)? && !thought_ready(Direction::Write)? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let result = op();
    if result.as_ref().is_err_and(is_would_block) {
        for (dir, wanted) in [
            (Direction::Read, PollFlags::IN),
            (Direction::Write, PollFlags::OUT),
        ] {
            match io.source().try_io(dir, || level(io, wanted)) {
                Err(error) if !is_would_block(&error) => return Err(error),
                _ => {}
            }
        }
    }
    result
}

fn is_would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

impl Future for EitherReady<'_> {
    type Output = io::Result<Ready>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let mut found = Ready::EMPTY;
        let waits = [
            (&mut this.read, Ready::READABLE),
            (&mut this.write, Ready::WRITABLE),
        ];
        for (wait, direction) in waits {
            let step = wait.as_mut().map(|wait| wait.poll_wait(cx));
            match step {
                Some(Poll::Ready(Ok(()))) => found = found | direction,
                Some(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                Some(Poll::Pending) | None => {}
            }
        }
        match found.is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(found | this.ended())),
        }
    }
}

/// The peer sends no more; only some systems tell that apart from the end of both.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const NO_MORE: PollFlags = PollFlags::RDHUP;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const NO_MORE: PollFlags = PollFlags::HUP;

impl EitherReady<'_> {
    /// Which of the directions that are asked for have ended. Readiness is remembered
    /// and an end need not be, so the system is asked, where events gave reason to.
    fn ended(&self) -> Ready {
        let may_have_ended = |dir| self.source.may_have_ended(dir);
        let read = self.read.is_some() && may_have_ended(Direction::Read);
        let write = self.write.is_some() && may_have_ended(Direction::Write);
        if !read && !write {
            return Ready::EMPTY;
        }
        let mut fds = [PollFd::from_borrowed_fd(self.fd, NO_MORE)];
        let now = Timespec::default();
        // A look that fails has seen no end.
        let _ = rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&now)));
        let seen = fds[0].revents();
        let mut ended = Ready::EMPTY;
        if read && seen.intersects(NO_MORE | PollFlags::HUP) {
            ended = ended | Ready::READ_CLOSED;
        }
        if write && seen.intersects(PollFlags::HUP | PollFlags::ERR) {
            ended = ended | Ready::WRITE_CLOSED;
        }
        ended
    }
}
