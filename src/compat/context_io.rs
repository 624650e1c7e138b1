//! The conversions of [`Io`](super::Io), in Tokio's context.

use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io as futures_io;
use tokio::io as tokio_io;

use super::Compat;

// Tokio's for who has `futures::io`.

impl<S: futures_io::AsyncRead> tokio_io::AsyncRead for Compat<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio_io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_inside(cx, |inner, cx| inner.poll_read(cx, buf))
    }
}

impl<S: futures_io::AsyncBufRead> tokio_io::AsyncBufRead for Compat<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_fill_buf(cx))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.inside(|inner| inner.pinned().consume(amount));
    }
}

impl<S: futures_io::AsyncWrite> tokio_io::AsyncWrite for Compat<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_close(cx))
    }
}

impl<S: futures_io::AsyncSeek> tokio_io::AsyncSeek for Compat<S> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        self.inside(|inner| inner.start_seek(position))
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.poll_inside(cx, |inner, cx| inner.poll_complete(cx))
    }
}

// `futures::io` for who has Tokio's.

impl<S: tokio_io::AsyncRead> futures_io::AsyncRead for Compat<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_inside(cx, |inner, cx| inner.poll_read(cx, buf))
    }
}

impl<S: tokio_io::AsyncBufRead> futures_io::AsyncBufRead for Compat<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_fill_buf(cx))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.inside(|inner| inner.pinned().consume(amount));
    }
}

impl<S: tokio_io::AsyncWrite> futures_io::AsyncWrite for Compat<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_write_vectored(cx, bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_shutdown(cx))
    }
}

impl<S: tokio_io::AsyncSeek> futures_io::AsyncSeek for Compat<S> {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        self.poll_inside(cx, |inner, cx| inner.poll_seek(cx, position))
    }
}
