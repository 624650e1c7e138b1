//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

use std::io::{self, IoSlice};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Stderr, Stdin, Stdout};

impl AsyncRead for Stdin {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let location = Location::caller();
        let free = buf.initialize_unfilled();
        let n = ready!(self.get_mut().poll_read_at(cx, free, location))?;
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

macro_rules! write {
    ($($kind:ident),*) => {
        $(
            impl AsyncWrite for $kind {
                fn poll_write(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &[u8],
                ) -> Poll<io::Result<usize>> {
                    self.poll_write_at(cx, buf)
                }

                fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                    self.poll_flush_at(cx)
                }

                /// Flushes; the stream is the process's and stays open.
                fn poll_shutdown(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    self.poll_flush_at(cx)
                }

                fn is_write_vectored(&self) -> bool {
                    true
                }

                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    self.poll_write_vectored_at(cx, bufs)
                }
            }
        )*
    };
}

write!(Stdout, Stderr);
