//! The futures that wait for a descriptor.

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use gmp_executor::{WaitReason, leaf};
use gmp_reactor::{Direction, Drained, Ready, Source};

/// One operation with a seat of its own in its direction's list, so that any
/// number of tasks may share the direction. Dropping it leaves nothing behind:
/// either the operation has succeeded and its result was returned, or it has
/// not happened.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Op<'a, F> {
    source: &'a Source,
    dir: Direction,
    wait: Readiness<'a>,
    op: F,
}

impl<'a, F> Op<'a, F> {
    pub(super) fn new(
        source: &'a Source,
        dir: Direction,
        location: &'static Location<'static>,
        op: F,
    ) -> Op<'a, F> {
        Op {
            source,
            dir,
            wait: Readiness::new(source, dir, location),
            op,
        }
    }
}

// The closure is called, never pinned.
impl<F> Unpin for Op<'_, F> {}

impl<R, F> Future for Op<'_, F>
where
    F: FnMut() -> io::Result<(R, Drained)>,
{
    type Output = io::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        loop {
            match this.source.try_io(this.dir, &mut this.op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(this.wait.poll_wait(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

/// Waits until a direction is thought ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Readiness<'a> {
    ready: Ready<'a>,
    location: &'static Location<'static>,
}

impl<'a> Readiness<'a> {
    pub(super) fn new(
        source: &'a Source,
        dir: Direction,
        location: &'static Location<'static>,
    ) -> Readiness<'a> {
        Readiness {
            ready: source.ready(dir),
            location,
        }
    }

    /// For callers that have asked about preemption in this poll. May be polled
    /// again after its end: it waits anew.
    pub(crate) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.ready).poll(cx);
        if answer.is_pending() {
            leaf::park(WaitReason::IoWait, self.location);
        }
        answer
    }
}

impl Drop for Readiness<'_> {
    fn drop(&mut self) {
        if self.ready.has_waited() {
            leaf::unpark_at(self.location);
        }
    }
}

impl Future for Readiness<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(leaf::poll_check(cx));
        self.get_mut().poll_wait(cx)
    }
}
