//! One connection.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::task::{Context, Poll};

use gmp_reactor::Direction;
use socket2::{Domain, SockAddr, Type};

use crate::async_io::Io;
use crate::net::stream::{
    StreamSocket, from_std, peek, recv, recv_vectored, sealed, send, send_vectored, stream_methods,
};
use crate::net::{connect, unix};

/// A Unix stream connection.
///
/// Reading and writing are in `futures::io::{AsyncReadExt, AsyncWriteExt}`. A
/// shared reference can read and write too. Dropping it closes the connection.
pub struct UnixStream {
    io: Io<std::os::unix::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at `path`.
    ///
    /// # Errors
    /// The system's: `NotFound`, `ConnectionRefused`, `PermissionDenied`;
    /// `WouldBlock` when the listener's backlog is full, for which the system has
    /// no way to wait.
    ///
    /// # Cancel safety
    /// Yes: the attempt ends.
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> impl Future<Output = io::Result<UnixStream>> {
        let location = Location::caller();
        let addr = SockAddr::unix(path);
        async move {
            let addr = addr?;
            let socket = connect::socket(Domain::UNIX, Type::STREAM, None)?;
            let io = connect::connect(socket, &addr, location).await?;
            Ok(UnixStream { io })
        }
    }

    /// Two connected streams without a name.
    ///
    /// # Errors
    /// The system's.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((UnixStream::from_std(one)?, UnixStream::from_std(other)?))
    }

    /// A connection that was accepted in non-blocking mode.
    pub(super) fn accepted(fd: OwnedFd) -> io::Result<UnixStream> {
        Ok(UnixStream {
            io: Io::new(fd.into())?,
        })
    }

    /// A stream of std's, which is put into non-blocking mode.
    ///
    /// # Errors
    /// The system's.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream {
            io: from_std(stream)?,
        })
    }

    /// The stream as std's, still in non-blocking mode.
    ///
    /// # Errors
    /// None at present.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        Ok(self.io.into_inner())
    }

    pub(in crate::net) fn io(&self) -> &Io<std::os::unix::net::UnixStream> {
        &self.io
    }

    stream_methods!(UnixStream, unix);

    /// The peer's address.
    ///
    /// # Errors
    /// The system's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// This end's address.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Who connected the other end.
    ///
    /// # Errors
    /// The system's.
    #[cfg(target_os = "linux")]
    pub fn peer_cred(&self) -> io::Result<unix::UCred> {
        unix::UCred::of(self)
    }
}

impl StreamSocket for UnixStream {}
impl sealed::Stream for UnixStream {
    type Std = std::os::unix::net::UnixStream;

    fn io(&self) -> &Io<std::os::unix::net::UnixStream> {
        &self.io
    }
}

impl TryFrom<std::os::unix::net::UnixStream> for UnixStream {
    type Error = io::Error;

    fn try_from(stream: std::os::unix::net::UnixStream) -> io::Result<UnixStream> {
        UnixStream::from_std(stream)
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
