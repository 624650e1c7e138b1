//! The I/O traits of Tokio for those who have `futures::io`, and the other way
//! round: each the same thing by another name, but for seeking.

use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io as futures_io;
use pin_project::pin_project;
use tokio::io as tokio_io;

/// How much room a stream of `futures::io` is offered, for it has to be zeroed
/// first. One record of TLS fits.
const ZEROED: usize = 16 * 1024;

/// Makes any stream of `futures::io` one of `tokio::io`, and the other way round,
/// seeking and buffered reading included. No runtime is involved: a stream that
/// needs one is wrapped by [`Compat`](super::Compat).
///
/// # Cancel safety
/// That of the stream inside. A seek that was given up on may have happened.
///
/// ```
/// fn tokio_stream(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite) {}
/// fn futures_stream(stream: impl futures::io::AsyncRead + futures::io::AsyncWrite) {}
///
/// tokio_stream(gmp::compat::Io::new(futures::io::Cursor::new(vec![0; 16])));
/// fn of_a_library(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite) {
///     futures_stream(gmp::compat::Io::new(stream));
/// }
/// ```
#[pin_project]
#[derive(Clone, Debug)]
pub struct Io<S> {
    #[pin]
    stream: S,
    /// The seek that has begun and not ended.
    seek: Option<SeekFrom>,
}

impl<S> Io<S> {
    /// Wraps `stream`.
    pub fn new(stream: S) -> Io<S> {
        Io { stream, seek: None }
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

    pub(super) fn pinned(self: Pin<&mut Self>) -> Pin<&mut S> {
        self.project().stream
    }
}

// Tokio's for who has `futures::io`.

impl<S: futures_io::AsyncRead> tokio_io::AsyncRead for Io<S> {
    /// `futures::io` may look at the buffer before it fills it, so it is zeroed
    /// first, up to 16 KiB a read.
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio_io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = buf.remaining().min(ZEROED);
        let zeroed = buf.initialize_unfilled_to(len);
        let n = ready!(self.pinned().poll_read(cx, zeroed))?;
        assert!(n <= len, "a stream read more than it was given room for");
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: futures_io::AsyncBufRead> tokio_io::AsyncBufRead for Io<S> {
    #[track_caller]
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.pinned().poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.pinned().consume(amount);
    }
}

impl<S: futures_io::AsyncWrite> tokio_io::AsyncWrite for Io<S> {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pinned().poll_write(cx, buf)
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_flush(cx)
    }

    #[track_caller]
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_close(cx)
    }

    // `futures::io` cannot tell whether its vectored writes are more than a write
    // of the first buffer, so `is_write_vectored` stays false.

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pinned().poll_write_vectored(cx, bufs)
    }
}

impl<S: futures_io::AsyncSeek> tokio_io::AsyncSeek for Io<S> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        *self.project().seek = Some(position);
        Ok(())
    }

    /// Without a seek that has begun, the position.
    #[track_caller]
    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let this = self.project();
        let position = this.seek.unwrap_or(SeekFrom::Current(0));
        let end = ready!(this.stream.poll_seek(cx, position));
        *this.seek = None;
        Poll::Ready(end)
    }
}

// `futures::io` for who has Tokio's.

impl<S: tokio_io::AsyncRead> futures_io::AsyncRead for Io<S> {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = tokio_io::ReadBuf::new(buf);
        ready!(self.pinned().poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<S: tokio_io::AsyncBufRead> futures_io::AsyncBufRead for Io<S> {
    #[track_caller]
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.pinned().poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.pinned().consume(amount);
    }
}

impl<S: tokio_io::AsyncWrite> futures_io::AsyncWrite for Io<S> {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pinned().poll_write(cx, buf)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pinned().poll_write_vectored(cx, bufs)
    }

    #[track_caller]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_flush(cx)
    }

    #[track_caller]
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pinned().poll_shutdown(cx)
    }
}

impl<S: tokio_io::AsyncSeek> futures_io::AsyncSeek for Io<S> {
    #[track_caller]
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let mut this = self.project();
        if *this.seek != Some(position) {
            // Tokio refuses to begin a seek while the stream is at work: at a write,
            // or at a seek that was given up on.
            ready!(this.stream.as_mut().poll_complete(cx))?;
            this.stream.as_mut().start_seek(position)?;
            *this.seek = Some(position);
        }
        let end = ready!(this.stream.poll_complete(cx));
        *this.seek = None;
        Poll::Ready(end)
    }
}
