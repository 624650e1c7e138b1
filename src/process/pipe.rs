//! The pipes to a child: this end of each is non-blocking, the child's is not.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use futures::io::AsyncWrite;
use gmp_reactor::{Direction, Drained};
use rustix::buffer::spare_capacity;

use crate::async_io::{Io, plain};

type Place = &'static Location<'static>;

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the pipe has been closed here")
}

/// All that comes to the end of the stream; nothing, if there is no pipe.
pub(super) async fn drain(io: Option<&Io<OwnedFd>>, location: Place) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let Some(io) = io else {
        return Ok(all);
    };
    loop {
        all.reserve(4096);
        let read = io.op(Direction::Read, location, || {
            let n = rustix::io::read(io, spare_capacity(&mut all))?;
            Ok((n, Drained::No))
        });
        if read.await? == 0 {
            return Ok(all);
        }
    }
}

macro_rules! common {
    ($kind:ident, $io:ident => $use:expr, $take:expr) => {
        impl $kind {
            /// One of std's, which is put into non-blocking mode.
            ///
            /// # Errors
            /// The system's.
            pub fn from_std(pipe: std::process::$kind) -> io::Result<$kind> {
                plain::open(pipe.into()).map(|io| $kind { io: io.into() })
            }

            /// The descriptor, in blocking mode again and not registered any more.
            ///
            /// # Errors
            /// The system's; `BrokenPipe` if it was closed.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                let $io = self.io;
                plain::close($take)
            }
        }

        impl AsFd for $kind {
            fn as_fd(&self) -> BorrowedFd<'_> {
                let $io = &self.io;
                $use.as_fd()
            }
        }

        impl AsRawFd for $kind {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        /// To be the standard stream of another child.
        impl TryFrom<$kind> for Stdio {
            type Error = io::Error;

            fn try_from(pipe: $kind) -> io::Result<Stdio> {
                pipe.into_owned_fd().map(Stdio::from)
            }
        }
    };
}

macro_rules! readers {
    ($($(#[$doc:meta])* $kind:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// Reading is in `futures::io::AsyncReadExt`, and cancel safe: bytes that
            /// a read did not return stay in the pipe.
            #[derive(Debug)]
            pub struct $kind {
                io: Io<OwnedFd>,
            }

            common!($kind, io => io, io);

            impl $kind {
                pub(super) fn io(&self) -> &Io<OwnedFd> {
                    &self.io
                }
            }

            plain::async_read!($kind);
        )*
    };
}

readers! {
    /// What a child writes to its output.
    ChildStdout;
    /// What a child writes to its errors.
    ChildStderr;
}

/// What a child reads as its input.
///
/// Writing is in `futures::io::AsyncWriteExt`; a write that is ready is in the pipe,
/// and one that is dropped before has written nothing. To a child that reads no more
/// a write is `BrokenPipe`. Dropping or closing it is the end of the child's input.
///
/// # Panics
/// Its descriptor cannot be borrowed after it was closed by
/// `futures::io::AsyncWriteExt::close`.
#[derive(Debug)]
pub struct ChildStdin {
    /// `None` once it is closed.
    io: Option<Io<OwnedFd>>,
}

common!(
    ChildStdin,
    io => io.as_ref().expect("the descriptor of a ChildStdin that was closed"),
    io.ok_or_else(closed)?
);

impl AsyncWrite for ChildStdin {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let io = self.io.as_ref().ok_or_else(closed)?;
        plain::poll_write(io, cx, buf, Location::caller())
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let io = self.io.as_ref().ok_or_else(closed)?;
        plain::poll_write_vectored(io, cx, bufs, Location::caller())
    }

    /// Nothing is kept here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the pipe: the child reads the end of its input.
    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io = None;
        Poll::Ready(Ok(()))
    }
}
