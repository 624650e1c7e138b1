//! Datagrams.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::task::{Context, Poll};

use gmp_reactor::Direction;

use crate::async_io::Io;
use crate::net::datagram::{datagram_methods, one};

type Std = std::os::unix::net::UnixDatagram;

/// A Unix datagram socket. Any number of tasks may send and receive at once.
///
/// ```
/// use gmp::net::UnixDatagram;
///
/// # gmp::block_on(async {
/// let (one, other) = UnixDatagram::pair()?;
/// one.send(b"ping").await?;
/// let mut buf = [0; 16];
/// let n = other.recv(&mut buf).await?;
/// assert_eq!(&buf[..n], b"ping");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixDatagram {
    io: Io<Std>,
}

impl UnixDatagram {
    /// A socket at `path`, which must not exist.
    ///
    /// # Errors
    /// The system's: `AddrInUse`, `PermissionDenied`.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(Std::bind(path)?)
    }

    /// A socket without an address: it can send, and nobody can answer.
    ///
    /// # Errors
    /// The system's.
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(Std::unbound()?)
    }

    /// Two connected sockets without a name.
    ///
    /// # Errors
    /// The system's.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = Std::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(other)?))
    }

    /// A socket of std's, which is put into non-blocking mode.
    ///
    /// # Errors
    /// The system's.
    pub fn from_std(socket: Std) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram {
            io: Io::new(socket)?,
        })
    }

    /// The socket as std's, still in non-blocking mode.
    ///
    /// # Errors
    /// None at present.
    pub fn into_std(self) -> io::Result<Std> {
        Ok(self.io.into_inner())
    }

    /// Makes the socket at `path` the peer.
    ///
    /// # Errors
    /// The system's: `NotFound`, `ConnectionRefused`.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.io.get_ref().connect(path)
    }

    datagram_methods!();

    /// Sends one datagram to the socket at `path`.
    ///
    /// # Errors
    /// The system's; `TimedOut` after the write deadline.
    ///
    /// # Cancel safety
    /// Yes: if the future is dropped, nothing was sent.
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(
        &self,
        buf: &[u8],
        path: P,
    ) -> impl Future<Output = io::Result<usize>> {
        self.io.op(Direction::Write, Location::caller(), move || {
            one(self.io.get_ref().send_to(buf, path.as_ref()))
        })
    }

    /// As [`send_to`](Self::send_to), for hand-written futures.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        path: P,
    ) -> Poll<io::Result<usize>> {
        self.io
            .poll_io(Direction::Write, cx, Location::caller(), || {
                one(self.io.get_ref().send_to(buf, path.as_ref()))
            })
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`; the system's.
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.io.try_io(Direction::Write, || {
            one(self.io.get_ref().send_to(buf, path.as_ref()))
        })
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    /// The system's.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }
}

impl TryFrom<Std> for UnixDatagram {
    type Error = io::Error;

    fn try_from(socket: Std) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(socket)
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
