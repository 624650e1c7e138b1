//! [`Async`]: any descriptor as an asynchronous object, and the core that the
//! sockets of [`net`](crate::net) share with it.
//!
//! An operation is tried first and waits only after the system said "would
//! block". What waits is noted with its place in the program, for dumps.

mod deadline;
mod either;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
mod forward;
mod methods;
mod op;
pub(crate) mod plain;
mod registered;

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};
use gmp_reactor::{Direction, Drained};
use rustix::event::{PollFd, PollFlags, Timespec};

#[cfg(feature = "tokio-io")]
pub(crate) use self::forward::forward_tokio_read;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
pub(crate) use self::forward::forward_write;
pub(crate) use self::methods::{deadline_methods, interest_methods};
pub(crate) use self::op::Readiness;
pub(crate) use self::registered::Io;

/// An I/O object in non-blocking mode, registered with this thread's runtime
/// (else with the global one): a socket, a pipe, an eventfd, a pidfd, a
/// terminal.
///
/// Any number of tasks may wait for it at once, in [`readable`](Self::readable),
/// [`writable`](Self::writable), [`read_with`](Self::read_with) and
/// [`write_with`](Self::write_with). The `poll_*` functions and the traits of
/// `futures::io` have one seat for each direction together: of several tasks
/// there, the last is woken.
///
/// `S` must show the same descriptor for all its life. There is no mutable
/// access that could exchange it; if it changes all the same, waits may never
/// end, and the registration is leaked.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// gmp::block_on(async {
///     let (near, mut far) = UnixStream::pair()?;
///     let near = gmp::Async::new(near)?;
///     far.write_all(b"hello")?;
///     let mut buf = [0; 16];
///     let n = near.read_with(|mut io| io.read(&mut buf)).await?;
///     assert_eq!(&buf[..n], b"hello");
///     Ok(())
/// })
/// # }
/// ```
pub struct Async<S: AsFd> {
    io: Io<S>,
}

impl<S: AsFd> Async<S> {
    /// Registers `source` and puts it into non-blocking mode, in which it stays
    /// (so do all descriptors that share its open file).
    ///
    /// # Errors
    /// The system's, as they are: `EPERM` for what cannot be waited for (a
    /// regular file), `EEXIST` for a descriptor that this runtime has
    /// registered already, `EBADF` for one that is not open, `ENOSPC` and
    /// `ENOMEM`. `source` is dropped then and nothing is left behind.
    pub fn new(source: S) -> io::Result<Async<S>> {
        let io = Io::new(source)?;
        rustix::io::ioctl_fionbio(&io, true)?;
        Ok(Async { io })
    }

    /// The I/O object.
    pub fn get_ref(&self) -> &S {
        self.io.get_ref()
    }

    /// The I/O object, not registered any more and still in non-blocking mode.
    ///
    /// # Errors
    /// None at present: the signature is that of smol's `Async`.
    pub fn into_inner(self) -> io::Result<S> {
        Ok(self.io.into_inner())
    }

    /// Waits until the object can be read from without blocking, as the system
    /// sees it at that moment; also at the end of a stream and after an error.
    ///
    /// # Errors
    /// `TimedOut` after the read deadline; an error of kind `Other` when the
    /// runtime has shut down.
    ///
    /// # Cancel safety
    /// Yes: no readiness is lost and nothing is left behind.
    #[track_caller]
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.io
            .op(Direction::Read, Location::caller(), || self.check_in())
    }

    /// Waits until the object can be written to without blocking.
    ///
    /// # Errors
    /// As [`readable`](Self::readable), with the write deadline.
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.io
            .op(Direction::Write, Location::caller(), || self.check_out())
    }

    /// As [`readable`](Self::readable), for hand-written futures.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io
            .poll_io(Direction::Read, cx, Location::caller(), || self.check_in())
    }

    /// As [`writable`](Self::writable), for hand-written futures.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io
            .poll_io(Direction::Write, cx, Location::caller(), || {
                self.check_out()
            })
    }

    /// The result of `op`, which is tried at once and after each time that the
    /// object becomes readable, until it does not say `WouldBlock`.
    ///
    /// # Errors
    /// Those of `op` but `WouldBlock` and `Interrupted`; else as
    /// [`readable`](Self::readable).
    ///
    /// # Cancel safety
    /// Yes: if the future is dropped, `op` has not succeeded.
    #[track_caller]
    pub fn read_with<R>(
        &self,
        op: impl FnMut(&S) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.io
            .op(Direction::Read, Location::caller(), self.attempt(op))
    }

    /// As [`read_with`](Self::read_with), for writing.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn write_with<R>(
        &self,
        op: impl FnMut(&S) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.io
            .op(Direction::Write, Location::caller(), self.attempt(op))
    }

    deadline_methods!(io);

    /// What is known of an object of unknown kind: nothing, after a success.
    fn attempt<R>(
        &self,
        mut op: impl FnMut(&S) -> io::Result<R>,
    ) -> impl FnMut() -> io::Result<(R, Drained)> {
        move || Ok((op(self.get_ref())?, Drained::No))
    }

    fn check_in(&self) -> io::Result<((), Drained)> {
        level(&self.io, PollFlags::IN)
    }

    fn check_out(&self) -> io::Result<((), Drained)> {
        level(&self.io, PollFlags::OUT)
    }
}

/// Whether the descriptor is ready now. Readiness that is only remembered would
/// make `readable` return for ever when the caller reads by other ways than
/// ours, and so never tells us that the buffer is empty.
fn level(fd: &impl AsFd, wanted: PollFlags) -> io::Result<((), Drained)> {
    let now = Timespec::default();
    let mut fds = [PollFd::new(fd, wanted)];
    match rustix::event::poll(&mut fds, Some(&now))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(((), Drained::No)),
    }
}

impl<S: AsFd> AsFd for Async<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<S: AsFd + fmt::Debug> fmt::Debug for Async<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Async").field("io", &self.io).finish()
    }
}

impl<S: AsFd> AsyncRead for &Async<S>
where
    for<'a> &'a S: Read,
{
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let op = self.attempt(|mut io| io.read(buf));
        self.io.poll_io(Direction::Read, cx, Location::caller(), op)
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let op = self.attempt(|mut io| io.read_vectored(bufs));
        self.io.poll_io(Direction::Read, cx, Location::caller(), op)
    }
}

impl<S: AsFd> AsyncWrite for &Async<S>
where
    for<'a> &'a S: Write,
{
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let op = self.attempt(|mut io| io.write(buf));
        self.io
            .poll_io(Direction::Write, cx, Location::caller(), op)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let op = self.attempt(|mut io| io.write_vectored(bufs));
        self.io
            .poll_io(Direction::Write, cx, Location::caller(), op)
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let op = self.attempt(|mut io| io.flush());
        self.io
            .poll_io(Direction::Write, cx, Location::caller(), op)
    }

    /// Flushes; the descriptor is closed when the object is dropped.
    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<S: AsFd> AsyncRead for Async<S>
where
    for<'a> &'a S: Read,
{
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    #[track_caller]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
    }
}

impl<S: AsFd> AsyncWrite for Async<S>
where
    for<'a> &'a S: Write,
{
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, bufs)
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}
