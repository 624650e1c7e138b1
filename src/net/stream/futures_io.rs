//! `futures::io`: always there.

use std::io::{self, IoSlice, IoSliceMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};

use super::StreamSocket;
use crate::net::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::net::{TcpStream, UnixStream};

macro_rules! read {
    ($([$($generics:tt)*] $kind:ty, $this:ident => $io:expr;)*) => {
        $(
            impl<$($generics)*> AsyncRead for $kind {
                #[inline]
                #[track_caller]
                fn poll_read(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &mut [u8],
                ) -> Poll<io::Result<usize>> {
                    let $this = &*self;
                    super::poll_read($io, cx, buf, Location::caller())
                }

                #[inline]
                #[track_caller]
                fn poll_read_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &mut [IoSliceMut<'_>],
                ) -> Poll<io::Result<usize>> {
                    let $this = &*self;
                    super::poll_read_vectored($io, cx, bufs, Location::caller())
                }
            }
        )*
    };
}

macro_rules! write {
    ($([$($generics:tt)*] $kind:ty, $this:ident => $io:expr, $finish:expr;)*) => {
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
                    super::poll_write($io, cx, buf, Location::caller())
                }

                #[inline]
                #[track_caller]
                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    let $this = &*self;
                    super::poll_write_vectored($io, cx, bufs, Location::caller())
                }

                /// Nothing is buffered here.
                fn poll_flush(
                    self: Pin<&mut Self>,
                    _cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    Poll::Ready(Ok(()))
                }

                /// Ends the direction: the peer reads the end of the stream.
                fn poll_close(
                    self: Pin<&mut Self>,
                    _cx: &mut Context<'_>,
                ) -> Poll<io::Result<()>> {
                    let $this = &*self;
                    Poll::Ready($finish)
                }
            }
        )*
    };
}

read! {
    [] TcpStream, this => this.io();
    [] &TcpStream, this => this.io();
    [] UnixStream, this => this.io();
    [] &UnixStream, this => this.io();
    [S: StreamSocket] ReadHalf<'_, S>, this => this.stream().io();
    [S: StreamSocket] OwnedReadHalf<S>, this => this.stream().io();
}

write! {
    [] TcpStream, this => this.io(), super::finish(this.io());
    [] &TcpStream, this => this.io(), super::finish(this.io());
    [] UnixStream, this => this.io(), super::finish(this.io());
    [] &UnixStream, this => this.io(), super::finish(this.io());
    [S: StreamSocket] WriteHalf<'_, S>, this => this.stream().io(), super::finish(this.stream().io());
    [S: StreamSocket] OwnedWriteHalf<S>, this => this.stream().io(), this.finish();
}
