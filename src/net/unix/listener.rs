//! Listening.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::stream::{FusedStream, Stream};

use super::UnixStream;
use crate::net::accept::{Accept, Accepted, Acceptor};

/// A Unix socket that takes connections. Dropping it leaves the path in the
/// file system, as std does.
pub struct UnixListener {
    acceptor: Acceptor<std::os::unix::net::UnixListener>,
}

impl UnixListener {
    /// Listens at `path`, which must not exist.
    ///
    /// # Errors
    /// The system's: `AddrInUse`, `PermissionDenied`, `NotFound`; `InvalidInput`
    /// for a path that is too long.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::from_std(std::os::unix::net::UnixListener::bind(path)?)
    }

    /// As [`bind`](Self::bind), at an address: one with an abstract name has no path.
    ///
    /// # Errors
    /// The system's: `AddrInUse`, `PermissionDenied`.
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<UnixListener> {
        UnixListener::from_std(std::os::unix::net::UnixListener::bind_addr(addr)?)
    }

    /// A listener of std's, which is put into non-blocking mode.
    ///
    /// # Errors
    /// The system's.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener {
            acceptor: Acceptor::new(listener)?,
        })
    }

    /// The listener as std's, still in non-blocking mode.
    ///
    /// # Errors
    /// None at present.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        Ok(self.acceptor.into_inner())
    }

    /// The next connection and its peer's address, which mostly has no name. As
    /// [`TcpListener::accept`](crate::net::TcpListener::accept).
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancel safety
    /// Yes: no connection is lost.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(UnixStream, SocketAddr)>> {
        let accept = self.acceptor.accept(Location::caller());
        async move { connection(accept.await?) }
    }

    /// As [`accept`](Self::accept), for hand-written futures: of several tasks
    /// that call it, the last is woken.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let accepted = ready!(self.acceptor.poll_accept(cx, Location::caller()))?;
        Poll::Ready(connection(accepted))
    }

    /// The connections as a stream, which never ends.
    #[track_caller]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            accept: self.acceptor.accept(Location::caller()),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.acceptor.get_ref().local_addr()
    }

    /// The error that the system keeps for the socket, which it forgets.
    ///
    /// # Errors
    /// The system's, about the question.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.acceptor.get_ref().take_error()
    }

    /// Sets the moment after which accepts fail with `TimedOut`; `None` means
    /// never.
    pub fn set_deadline(&self, deadline: Option<crate::time::Instant>) {
        self.acceptor.set_deadline(deadline);
    }
}

fn connection((fd, _): Accepted) -> io::Result<(UnixStream, SocketAddr)> {
    let stream = UnixStream::accepted(fd)?;
    let addr = stream.peer_addr()?;
    Ok((stream, addr))
}

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        UnixListener::from_std(listener)
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acceptor.as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acceptor.get_ref().fmt(f)
    }
}

/// The stream of [`UnixListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    accept: Accept<'a, std::os::unix::net::UnixListener>,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.get_mut().accept.poll_next(cx));
        Poll::Ready(Some(accepted.and_then(|(fd, _)| UnixStream::accepted(fd))))
    }
}

impl FusedStream for Incoming<'_> {
    fn is_terminated(&self) -> bool {
        false
    }
}
