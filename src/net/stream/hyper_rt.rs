//! `hyper::rt`: reads go straight into hyper's uninitialised buffer, vectored
//! writes into one system call.

#![expect(unsafe_code, reason = "hyper's cursor trusts who fills it")]

use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::hyper::rt::{Read, ReadBufCursor};

use super::StreamSocket;
use super::sealed::Stream;
use crate::async_io::forward_write;
use crate::net::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::net::{TcpStream, UnixStream};

#[inline]
fn read<S: Stream>(
    stream: &S,
    cx: &mut Context<'_>,
    mut buf: ReadBufCursor<'_>,
    location: &'static Location<'static>,
) -> Poll<io::Result<()>> {
    // SAFETY: only written to, by the system call.
    let free = unsafe { buf.as_mut() };
    let n = ready!(super::poll_read_uninit(stream.io(), cx, free, location))?;
    // SAFETY: the call has filled the first `n` bytes.
    unsafe { buf.advance(n) };
    Poll::Ready(Ok(()))
}

macro_rules! read {
    ($([$($generics:tt)*] $kind:ty, $this:ident => $stream:expr;)*) => {
        $(
            impl<$($generics)*> Read for $kind {
                #[inline]
                #[track_caller]
                fn poll_read(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: ReadBufCursor<'_>,
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
    ::hyper::rt::Write:
    [] TcpStream;
    [] UnixStream;
    [S: StreamSocket] WriteHalf<'_, S>;
    [S: StreamSocket] OwnedWriteHalf<S>;
}
