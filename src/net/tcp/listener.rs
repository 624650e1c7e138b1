//! Listening.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::stream::{FusedStream, Stream};
use socket2::{Domain, Protocol, Socket, Type};

use super::TcpStream;
use crate::net::accept::{Accept, Accepted, Acceptor};
use crate::net::addr::try_each;
use crate::net::{ToSocketAddrs, connect};

/// As many as the system allows: it lowers this to its own limit.
const BACKLOG: i32 = 4096;

/// A TCP socket that takes connections.
pub struct TcpListener {
    acceptor: Acceptor<std::net::TcpListener>,
}

impl TcpListener {
    /// Listens on the first of the addresses that is free. Port 0 lets the
    /// system choose; see [`local_addr`](Self::local_addr). The address may be
    /// one whose connections of an earlier process are still ending.
    ///
    /// # Errors
    /// Those of the last address: `AddrInUse`, `PermissionDenied`,
    /// `AddrNotAvailable`; those of [`lookup_host`](crate::net::lookup_host).
    pub fn bind<A: ToSocketAddrs>(addr: A) -> impl Future<Output = io::Result<TcpListener>> {
        try_each(addr, async |addr| {
            let socket =
                connect::socket(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            socket.bind(&addr.into())?;
            TcpListener::listening(socket, BACKLOG)
        })
    }

    /// Listens on a bound socket in non-blocking mode.
    pub(super) fn listening(socket: Socket, backlog: i32) -> io::Result<TcpListener> {
        socket.listen(backlog)?;
        Ok(TcpListener {
            acceptor: Acceptor::new(socket.into())?,
        })
    }

    /// A listener of std's, which is put into non-blocking mode.
    ///
    /// # Errors
    /// The system's.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(TcpListener {
            acceptor: Acceptor::new(listener)?,
        })
    }

    /// The listener as std's, still in non-blocking mode.
    ///
    /// # Errors
    /// None at present.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(self.acceptor.into_inner())
    }

    /// The next connection and its peer's address. Any number of tasks may
    /// accept at once.
    ///
    /// A connection whose peer gave up while it waited is skipped. When the
    /// process or the system is out of descriptors or memory (`EMFILE`, `ENFILE`,
    /// `ENOBUFS`, `ENOMEM`) the error is returned and the connection waits; the
    /// next such error of this listener comes 10 ms later at the earliest, so
    /// that a loop which just tries again leaves the core to others.
    ///
    /// # Errors
    /// The system's; `TimedOut` after the deadline.
    ///
    /// # Cancel safety
    /// Yes: no connection is lost.
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> {
        let accept = self.acceptor.accept(Location::caller());
        async move { connection(accept.await?) }
    }

    /// As [`accept`](Self::accept), for hand-written futures: of several tasks
    /// that call it, the last is woken.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
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

    /// The time to live of its connections' packets.
    ///
    /// # Errors
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.acceptor.get_ref().ttl()
    }

    /// Sets the time to live of its connections' packets.
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.acceptor.get_ref().set_ttl(ttl)
    }

    /// Sets the moment after which accepts fail with `TimedOut`; `None` means
    /// never. See [`TcpStream::set_deadline`].
    pub fn set_deadline(&self, deadline: Option<crate::time::Instant>) {
        self.acceptor.set_deadline(deadline);
    }
}

fn connection((fd, addr): Accepted) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::accepted(fd)?;
    let addr = match addr.map(SocketAddr::try_from) {
        Some(Ok(addr)) => addr,
        _ => stream.peer_addr()?,
    };
    Ok((stream, addr))
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.acceptor.as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.acceptor.get_ref().fmt(f)
    }
}

/// The stream of [`TcpListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    accept: Accept<'a, std::net::TcpListener>,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.get_mut().accept.poll_next(cx));
        Poll::Ready(Some(accepted.and_then(|(fd, _)| TcpStream::accepted(fd))))
    }
}

impl FusedStream for Incoming<'_> {
    fn is_terminated(&self) -> bool {
        false
    }
}
