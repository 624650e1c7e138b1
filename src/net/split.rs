//! A stream in two halves: borrowed ones for one task, owned ones for two.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gmp_reactor::Direction;

use super::stream::{self, StreamSocket};
use super::{TcpStream, UnixStream, unix};
use crate::io::{Interest, Ready};

/// The reading half that `split` lends.
pub struct ReadHalf<'a, S> {
    stream: &'a S,
}

/// The writing half that `split` lends. Dropping it ends nothing: the stream is
/// whole again.
pub struct WriteHalf<'a, S> {
    stream: &'a S,
}

/// The reading half of a stream that was split for good. Can be sent away; the
/// descriptor is closed with the last half.
pub struct OwnedReadHalf<S> {
    stream: Arc<S>,
}

/// The writing half of a stream that was split for good. Dropping it ends the
/// direction, so that the peer reads the end of the stream, unless
/// [`forget`](Self::forget) was called.
pub struct OwnedWriteHalf<S: StreamSocket> {
    // Taken by `forget` and `reunite` alone.
    stream: Option<Arc<S>>,
    finished: AtomicBool,
}

/// Two halves that are not of one stream; they come back in it.
pub struct ReuniteError<S: StreamSocket>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

pub(super) fn borrowed<S>(stream: &S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf { stream }, WriteHalf { stream })
}

pub(super) fn owned<S: StreamSocket>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf {
        stream: Some(stream.clone()),
        finished: AtomicBool::new(false),
    };
    (OwnedReadHalf { stream }, write)
}

impl<S> ReadHalf<'_, S> {
    pub(super) fn stream(&self) -> &S {
        self.stream
    }
}

impl<S> WriteHalf<'_, S> {
    pub(super) fn stream(&self) -> &S {
        self.stream
    }
}

impl<S> OwnedReadHalf<S> {
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: StreamSocket> OwnedReadHalf<S> {
    /// The whole stream again.
    ///
    /// # Errors
    /// If `write` is of another stream: both come back.
    pub fn reunite(self, write: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        let mut write = write;
        match write.stream.take() {
            Some(other) if Arc::ptr_eq(&self.stream, &other) => {
                drop(other);
                Ok(Arc::into_inner(self.stream).expect("a stream has two halves"))
            }
            other => {
                write.stream = other;
                Err(ReuniteError(self, write))
            }
        }
    }
}

impl<S: StreamSocket> OwnedWriteHalf<S> {
    pub(super) fn stream(&self) -> &S {
        self.stream
            .as_deref()
            .expect("a half that is used is whole")
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        self.finished.store(true, Ordering::Relaxed); // ord: for this half's drop
        stream::finish(self.stream().io())
    }

    /// As [`OwnedReadHalf::reunite`].
    ///
    /// # Errors
    /// If `read` is of another stream: both come back.
    pub fn reunite(self, read: OwnedReadHalf<S>) -> Result<S, ReuniteError<S>> {
        read.reunite(self)
    }

    /// Drops the half without ending the direction.
    pub fn forget(mut self) {
        self.stream = None;
    }
}

impl<S: StreamSocket> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        let finished = *self.finished.get_mut();
        if let Some(stream) = self.stream.as_ref().filter(|_| !finished) {
            // Nobody is left to hear of an error.
            let _ = stream::finish(stream.io());
        }
    }
}

macro_rules! ready {
    () => {
        /// Waits until a direction of `interest` is worth a try; see
        /// [`TcpStream::ready`](crate::net::TcpStream::ready).
        ///
        /// # Errors
        /// As there.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> {
            let io = self.stream().io();
            io.either_ready(interest, Location::caller())
        }
    };
}

/// What both kinds of a half can do besides the traits.
macro_rules! reads {
    () => {
        /// Waits until reading is worth a try; see
        /// [`TcpStream::readable`](crate::net::TcpStream::readable).
        ///
        /// # Errors
        /// `TimedOut` after the read deadline.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
            let io = self.stream().io();
            io.readiness(Direction::Read, Location::caller())
        }

        /// Reads what is there; 0 is the end of the stream.
        ///
        /// # Errors
        /// `WouldBlock` if nothing is there; the system's.
        pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
            let io = self.stream().io();
            io.try_io(Direction::Read, || stream::recv(io, buf))
        }

        /// Copies the bytes that come next without taking them.
        ///
        /// # Errors
        /// The system's; `TimedOut` after the read deadline.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
            let io = self.stream().io();
            io.op(Direction::Read, Location::caller(), move || {
                stream::peek(io, buf)
            })
        }

        /// As [`try_read`](Self::try_read), into several buffers.
        ///
        /// # Errors
        /// As there.
        pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            let io = self.stream().io();
            io.try_io(Direction::Read, || stream::recv_vectored(io, bufs))
        }

        ready!();
    };
}

macro_rules! writes {
    () => {
        /// Waits until writing is worth a try.
        ///
        /// # Errors
        /// `TimedOut` after the write deadline.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
            let io = self.stream().io();
            io.readiness(Direction::Write, Location::caller())
        }

        /// Writes what there is room for.
        ///
        /// # Errors
        /// `WouldBlock` if there is none; the system's.
        pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
            let io = self.stream().io();
            io.try_io(Direction::Write, || stream::send(io, buf))
        }

        /// As [`try_write`](Self::try_write), from several buffers.
        ///
        /// # Errors
        /// As there.
        pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            let io = self.stream().io();
            io.try_io(Direction::Write, || stream::send_vectored(io, bufs))
        }

        ready!();
    };
}

impl<S: StreamSocket> ReadHalf<'_, S> {
    reads!();
}

impl<S: StreamSocket> OwnedReadHalf<S> {
    reads!();
}

impl<S: StreamSocket> WriteHalf<'_, S> {
    writes!();
}

impl<S: StreamSocket> OwnedWriteHalf<S> {
    writes!();
}

/// The addresses of the stream.
macro_rules! addresses {
    ($($kind:ty: $addr:ty;)*) => {
        $(
            impl $kind {
                /// The peer's address.
                ///
                /// # Errors
                /// The system's: `NotConnected`.
                pub fn peer_addr(&self) -> io::Result<$addr> {
                    self.stream().peer_addr()
                }

                /// This end's address.
                ///
                /// # Errors
                /// The system's.
                pub fn local_addr(&self) -> io::Result<$addr> {
                    self.stream().local_addr()
                }
            }
        )*
    };
}

addresses! {
    ReadHalf<'_, TcpStream>: SocketAddr;
    WriteHalf<'_, TcpStream>: SocketAddr;
    OwnedReadHalf<TcpStream>: SocketAddr;
    OwnedWriteHalf<TcpStream>: SocketAddr;
    ReadHalf<'_, UnixStream>: unix::SocketAddr;
    WriteHalf<'_, UnixStream>: unix::SocketAddr;
    OwnedReadHalf<UnixStream>: unix::SocketAddr;
    OwnedWriteHalf<UnixStream>: unix::SocketAddr;
}

/// The stream itself, for its options.
macro_rules! whole {
    ($([$($generics:tt)*] $kind:ty, $name:literal;)*) => {
        $(
            impl<$($generics)*> AsRef<S> for $kind {
                fn as_ref(&self) -> &S {
                    self.stream()
                }
            }

            impl<$($generics)* + fmt::Debug> fmt::Debug for $kind {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_tuple($name).field(self.stream()).finish()
                }
            }
        )*
    };
}

whole! {
    [S: StreamSocket] ReadHalf<'_, S>, "ReadHalf";
    [S: StreamSocket] WriteHalf<'_, S>, "WriteHalf";
    [S: StreamSocket] OwnedReadHalf<S>, "OwnedReadHalf";
    [S: StreamSocket] OwnedWriteHalf<S>, "OwnedWriteHalf";
}

impl<S: StreamSocket> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError(..)")
    }
}

impl<S: StreamSocket> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are not of the same stream")
    }
}

impl<S: StreamSocket> std::error::Error for ReuniteError<S> {}
