//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

#![expect(unsafe_code, reason = "Tokio's buffer trusts who fills it")]

use std::io::{self, IoSlice};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::StreamSocket;
use super::sealed::Stream;
use crate::net::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::net::{TcpStream, UnixStream};

#[inline]
fn read<S: Stream>(
    stream: &S,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
    location: &'static Location<'static>,
) -> Poll<io::Result<()>> {
    // SAFETY: only written to, by the system call.
    let free = unsafe { buf.unfilled_mut() };
    let n = ready!(super::poll_read_uninit(stream.io(), cx, free, location))?;
    // SAFETY: the call has filled the first `n` bytes.
    unsafe { buf.assume_init(n) };
    buf.advance(n);
    Poll::Ready(Ok(()))
}

macro_rules! read {
    ($([$($generics:tt)*] $kind:ty, $this:ident => $stream:expr;)*) => {
        $(
            impl<$($generics)*> AsyncRead for $kind {
                #[inline]
                #[track_caller]
                fn poll_read(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &mut ReadBuf<'_>,
                ) -> Poll<io::Result<()>> {
                    let $this = &*self;
                    read($stream, cx, buf, Location::caller())
                }
            }
        )*
    };
}

macro_rules! write {
    ($([$($generics:tt)*] $kind:ty, $this:ident => $stream:expr, $finish:expr;)*) => {
        $(
            impl<$($generics)*> AsyncWrite for $kind {
                #[inline]
                #[track_caller]
                fn poll_write(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &[u8],
                ) -> Poll<io::Result<usize>> {
                    let $this = &*self;
                    super::poll_write($stream.io(), cx, buf, Location::caller())
                }

                fn poll_flush(
                    self: Pin<&mut Self>,
                    _cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    Poll::Ready(Ok(()))
                }

                fn poll_shutdown(
                    self: Pin<&mut Self>,
                    _cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    let $this = &*self;
                    Poll::Ready($finish)
                }

                fn is_write_vectored(&self) -> bool {
                    true
                }

                #[inline]
                #[track_caller]
                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    let $this = &*self;
                    super::poll_write_vectored($stream.io(), cx, bufs, Location::caller())
                }
            }
        )*
    };
}

read! {
    [] TcpStream, this => this;
    [] UnixStream, this => this;
    [S: StreamSocket] ReadHalf<'_, S>, this => this.stream();
    [S: StreamSocket] OwnedReadHalf<S>, this => this.stream();
}

write! {
    [] TcpStream, this => this, super::finish(this.io());
    [] UnixStream, this => this, super::finish(this.io());
    [S: StreamSocket] WriteHalf<'_, S>, this => this.stream(), super::finish(this.stream().io());
    [S: StreamSocket] OwnedWriteHalf<S>, this => this.stream(), this.finish();
}
