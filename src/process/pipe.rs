//! The pipes to a child: this end of each is non-blocking, the child's is not.
//!
//! After a short read the pipe is asked once more before the task waits, and so
//! after a short write: what `from_std` was given need not be a pipe.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};
use gmp_reactor::{Direction, Drained};
use rustix::buffer::spare_capacity;

use crate::async_io::Io;

type Place = &'static Location<'static>;

fn open(fd: OwnedFd) -> io::Result<Io<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Io::new(fd)
}

/// The descriptor as a child wants it: blocking.
fn close(io: Io<OwnedFd>) -> io::Result<OwnedFd> {
    let fd = io.into_inner();
    rustix::io::ioctl_fionbio(&fd, false)?;
    Ok(fd)
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the pipe has been closed here")
}

fn poll_read(
    io: &Io<OwnedFd>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
    location: Place,
) -> Poll<io::Result<usize>> {
    if buf.is_empty() {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Read, cx, location, || {
        Ok((rustix::io::read(io, &mut *buf)?, Drained::No))
    })
}

fn poll_read_vectored(
    io: &Io<OwnedFd>,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
    location: Place,
) -> Poll<io::Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return Poll::Ready(Ok(0));
    }
    io.poll_io(Direction::Read, cx, location, || {
        Ok((rustix::io::readv(io, bufs)?, Drained::No))
    })
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
                open(pipe.into()).map(|io| $kind { io: io.into() })
            }

            /// The descriptor, in blocking mode again and not registered any more.
            ///
            /// # Errors
            /// The system's; `BrokenPipe` if it was closed.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                let $io = self.io;
                close($take)
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

            impl AsyncRead for $kind {
                #[track_caller]
                fn poll_read(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &mut [u8],
                ) -> Poll<io::Result<usize>> {
                    poll_read(&self.io, cx, buf, Location::caller())
                }

                #[track_caller]
                fn poll_read_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &mut [IoSliceMut<'_>],
                ) -> Poll<io::Result<usize>> {
                    poll_read_vectored(&self.io, cx, bufs, Location::caller())
                }
            }
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
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        io.poll_io(Direction::Write, cx, Location::caller(), || {
            Ok((rustix::io::write(io, buf)?, Drained::No))
        })
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let io = self.io.as_ref().ok_or_else(closed)?;
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        io.poll_io(Direction::Write, cx, Location::caller(), || {
            Ok((rustix::io::writev(io, bufs)?, Drained::No))
        })
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
