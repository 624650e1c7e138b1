//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

#![expect(unsafe_code, reason = "Tokio's buffer trusts who fills it")]

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::StreamSocket;
use super::sealed::Stream;
use crate::async_io::forward_write;
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

read! {
    [] TcpStream, this => this;
    [] UnixStream, this => this;
    [S: StreamSocket] ReadHalf<'_, S>, this => this.stream();
    [S: StreamSocket] OwnedReadHalf<S>, this => this.stream();
}

forward_write! {
    tokio::io::AsyncWrite:
    [] TcpStream;
    [] UnixStream;
    [S: StreamSocket] WriteHalf<'_, S>;
    [S: StreamSocket] OwnedWriteHalf<S>;
}
