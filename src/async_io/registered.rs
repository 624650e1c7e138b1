//! One descriptor's owner and its registration, which goes first.

#![expect(
    unsafe_code,
    reason = "promises the reactor that the registration ends before the descriptor"
)]

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use gmp_executor::{WaitReason, leaf};
use gmp_reactor::{Direction, Drained, Reactor, Source};

use super::deadline::Deadlines;
use super::op::{Op, Readiness};
use crate::runtime::Handle;
use crate::time::Instant;

/// A descriptor in non-blocking mode that belongs to the reactor of the runtime
/// on which it was opened.
///
/// An owner that hands out another descriptor later breaks `AsFd`'s promise. It
/// must not hit strangers: the registration is undone only if the owner still
/// shows the number that was registered, and is left to leak otherwise.
pub struct Io<S: AsFd> {
    // Both are taken in `close` alone, the source before the owner.
    source: ManuallyDrop<Source>,
    owner: ManuallyDrop<S>,
    fd: RawFd,
    deadlines: Deadlines,
}

impl<S: AsFd> Io<S> {
    /// Registers what is in non-blocking mode already.
    ///
    /// # Errors
    /// The system's, as they are; the owner is dropped then.
    pub(crate) fn new(owner: S) -> io::Result<Io<S>> {
        let fd = owner.as_fd();
        let number = fd.as_raw_fd();
        // SAFETY: `owner` keeps the descriptor open until `close`, where the
        // source is dropped first.
        let source = unsafe { Handle::current().open(fd) }?;
        Ok(Io {
            source: ManuallyDrop::new(source),
            owner: ManuallyDrop::new(owner),
            fd: number,
            deadlines: Deadlines::new(),
        })
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Of the runtime that it belongs to.
    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        self.source.reactor()
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.owner
    }

    /// The owner, not registered any more; who waits is woken.
    pub(crate) fn into_inner(self) -> S {
        let mut this = ManuallyDrop::new(self);
        this.close();
        this.deadlines.stop();
        // SAFETY: `this` is never dropped and not used again.
        unsafe { ManuallyDrop::take(&mut this.owner) }
    }

    /// Ends the registration. Called once, before the owner goes.
    fn close(&mut self) {
        if self.owner.as_fd().as_raw_fd() == self.fd {
            // SAFETY: called once, and nothing uses the source afterwards.
            unsafe { ManuallyDrop::drop(&mut self.source) };
        }
    }

    /// The result of `op`, tried while the direction is thought ready, for the
    /// one seat of the `poll_*` functions.
    pub(crate) fn poll_io<R>(
        &self,
        dir: Direction,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
        op: impl FnMut() -> io::Result<(R, Drained)>,
    ) -> Poll<io::Result<R>> {
        ready!(leaf::poll_check(cx));
        let answer = self.source.poll_io(dir, cx, op);
        if answer.is_pending() {
            leaf::park_polled(WaitReason::IoWait, location);
        }
        answer
    }

    /// As [`Io::poll_io`], with a seat of its own.
    pub(crate) fn op<F>(
        &self,
        dir: Direction,
        location: &'static Location<'static>,
        op: F,
    ) -> Op<'_, F> {
        Op::new(&self.source, dir, location, op)
    }

    /// `op` once, if the direction is thought ready.
    pub(crate) fn try_io<R>(
        &self,
        dir: Direction,
        mut op: impl FnMut() -> io::Result<(R, Drained)>,
    ) -> io::Result<R> {
        loop {
            match self.source.try_io(dir, &mut op) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    pub(crate) fn readiness(
        &self,
        dir: Direction,
        location: &'static Location<'static>,
    ) -> Readiness<'_> {
        Readiness::new(&self.source, dir, location)
    }

    pub(crate) fn poll_readiness(
        &self,
        dir: Direction,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        ready!(leaf::poll_check(cx));
        let answer = self.source.poll_ready(dir, cx);
        if answer.is_pending() {
            leaf::park_polled(WaitReason::IoWait, location);
        }
        answer
    }

    /// Go's SetReadDeadline and SetWriteDeadline.
    pub(crate) fn set_deadline(&self, dir: Direction, deadline: Option<Instant>) {
        // Deadlines that a child of fork has are its parent's, and no operation waits.
        if !self.reactor().is_elsewhere() {
            self.deadlines.set(&self.source, dir, deadline);
        }
    }
}

impl<S: AsFd> Drop for Io<S> {
    fn drop(&mut self) {
        self.deadlines.stop();
        self.close();
        // SAFETY: the last use of the owner.
        unsafe { ManuallyDrop::drop(&mut self.owner) };
    }
}

impl<S: AsFd> AsFd for Io<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.owner.as_fd()
    }
}

impl<S: AsFd + fmt::Debug> fmt::Debug for Io<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io")
            .field("owner", &self.owner)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
