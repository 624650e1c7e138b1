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
        UnixStream::connect_to(SockAddr::unix(path), Location::caller())
    }

    /// As [`connect`](Self::connect), to an address: one with an abstract name has no
    /// path.
    ///
    /// # Errors
    /// As there; `InvalidInput` for an address without a name.
    ///
    /// # Cancel safety
    /// Yes: the attempt ends.
    ///
    /// ```
    /// use gmp::net::{UnixListener, UnixStream};
    /// use std::os::unix::net::SocketAddr;
    ///
    /// # gmp::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("gmp-doc-{}", std::process::id()));
    /// let addr = SocketAddr::from_pathname(&path)?;
    /// let listener = UnixListener::bind_addr(&addr)?;
    /// let client = UnixStream::connect_addr(&addr).await?;
    /// let (server, _) = listener.accept().await?;
    /// # assert_eq!(client.peer_addr()?.as_pathname(), Some(path.as_path()));
    /// # drop(server);
    /// # std::fs::remove_file(&path)
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn connect_addr(addr: &SocketAddr) -> impl Future<Output = io::Result<UnixStream>> + use<> {
        UnixStream::connect_to(sock_addr(addr), Location::caller())
    }

    async fn connect_to(
        addr: io::Result<SockAddr>,
        location: &'static Location<'static>,
    ) -> io::Result<UnixStream> {
        let addr = addr?;
        let socket = connect::socket(Domain::UNIX, Type::STREAM, None)?;
        let io = connect::connect(socket, &addr, location).await?;
        Ok(UnixStream { io })
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

fn sock_addr(addr: &SocketAddr) -> io::Result<SockAddr> {
    if let Some(path) = addr.as_pathname() {
        return SockAddr::unix(path);
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(addr) {
        // How the system, and with it socket2, tells such a name from a path.
        let name = [b"\0", name].concat();
        return SockAddr::unix(
            <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name),
        );
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "the address has no name",
    ))
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
