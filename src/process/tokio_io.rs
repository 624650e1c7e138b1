//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

use std::io::{self, IoSlice};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pipe::{ChildStderr, ChildStdin, ChildStdout, poll_read};

macro_rules! read {
    ($($kind:ident),*) => {
        $(
            impl AsyncRead for $kind {
                #[track_caller]
                fn poll_read(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &mut ReadBuf<'_>,
                ) -> Poll<io::Result<()>> {
                    let free = buf.initialize_unfilled();
                    let n = ready!(poll_read(self.io(), cx, free, Location::caller()))?;
                    buf.advance(n);
                    Poll::Ready(Ok(()))
                }
            }
        )*
    };
}

read!(ChildStdout, ChildStderr);

impl AsyncWrite for ChildStdin {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_at(cx, buf, Location::caller())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the pipe: the child reads the end of its input.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_at(cx, bufs, Location::caller())
    }
}
