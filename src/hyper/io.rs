//! Streams of one world in the other.

#![expect(unsafe_code, reason = "hyper's cursor trusts who fills it")]

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::hyper::rt::{self, ReadBuf, ReadBufCursor};
use futures::io::{AsyncRead, AsyncWrite};
use pin_project::pin_project;

/// How much room a stream is offered, for what it leaves has been zeroed in
/// vain. One record of TLS fits.
const ZEROED: usize = 16 * 1024;

/// Makes any stream of `futures::io` one of `hyper::rt`, and the other way
/// round: a TLS stream for hyper to serve, or the raw stream of an upgraded
/// connection for a library that wants `futures::io`.
///
/// ```
/// fn hyper_stream(stream: impl hyper::rt::Read + hyper::rt::Write) {}
/// fn futures_stream(stream: impl futures::io::AsyncRead + futures::io::AsyncWrite) {}
///
/// hyper_stream(gmp::hyper::Io::new(futures::io::Cursor::new(vec![0; 16])));
/// fn after_an_upgrade(upgraded: hyper::upgrade::Upgraded) {
///     futures_stream(gmp::hyper::Io::new(upgraded));
/// }
/// ```
#[pin_project]
#[derive(Clone, Debug)]
pub struct Io<S> {
    #[pin]
    stream: S,
}

impl<S> Io<S> {
    /// Wraps `stream`.
    pub fn new(stream: S) -> Io<S> {
        Io { stream }
    }

    /// The stream inside.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream, unwrapped.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead> rt::Read for Io<S> {
    /// `futures::io` may look at the buffer before it fills it, so it is zeroed
    /// first, up to 16 KiB a read. The sockets of this crate need no wrapper, and
    /// no zeros.
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let len = buf.remaining().min(ZEROED);
        let zeroed = buf.initialize_unfilled_to(len);
        let n = ready!(self.project().stream.poll_read(cx, zeroed))?;
        assert!(n <= len, "a stream read more than it was given room for");
        // SAFETY: all of it has been zeroed, and `n` is within it.
        unsafe { buf.advance(n) };
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite> rt::Write for Io<S> {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, buf)
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    #[track_caller]
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_close(cx)
    }

    // `futures::io` cannot tell whether its vectored writes are more than a
    // write of the first buffer, so hyper is left to gather (the default).

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, bufs)
    }
}

impl<S: rt::Read> AsyncRead for Io<S> {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(self.project().stream.poll_read(cx, buf.unfilled()))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<S: rt::Write> AsyncWrite for Io<S> {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, buf)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, bufs)
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}
