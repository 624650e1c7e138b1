//! One connection.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};
use std::time::Duration;

use gmp_reactor::Direction;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::async_io::Io;
use crate::net::addr::try_each;
use crate::net::stream::{
    StreamSocket, from_std, peek, recv, recv_vectored, sealed, send, send_vectored, stream_methods,
};
use crate::net::{ToSocketAddrs, connect, tcp};

/// A TCP connection.
///
/// Reading and writing are in `futures::io::{AsyncReadExt, AsyncWriteExt}`. A
/// shared reference can read and write too. Dropping it closes the connection.
pub struct TcpStream {
    io: Io<std::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    /// Those of the last address: `ConnectionRefused` and the like; those of
    /// [`lookup_host`](crate::net::lookup_host).
    ///
    /// # Cancel safety
    /// Yes: the attempt ends.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(addr: A) -> impl Future<Output = io::Result<TcpStream>> {
        let location = Location::caller();
        try_each(addr, async move |addr| {
            let socket =
                connect::socket(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
            TcpStream::connect_socket(socket, addr, location).await
        })
    }

    pub(super) async fn connect_socket(
        socket: Socket,
        addr: SocketAddr,
        location: &'static Location<'static>,
    ) -> io::Result<TcpStream> {
        let io = connect::connect(socket, &addr.into(), location).await?;
        Ok(TcpStream { io })
    }

    /// A connection that was accepted in non-blocking mode.
    pub(super) fn accepted(fd: OwnedFd) -> io::Result<TcpStream> {
        Ok(TcpStream {
            io: Io::new(fd.into())?,
        })
    }

    /// A connection of std's, which is put into non-blocking mode.
    ///
    /// # Errors
    /// The system's.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream {
            io: from_std(stream)?,
        })
    }

    /// The connection as std's, still in non-blocking mode.
    ///
    /// # Errors
    /// None at present.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.io.into_inner())
    }

    pub(in crate::net) fn io(&self) -> &Io<std::net::TcpStream> {
        &self.io
    }

    stream_methods!(TcpStream, tcp);

    /// The peer's address.
    ///
    /// # Errors
    /// The system's: `NotConnected`.
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

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    /// Sends small writes at once instead of gathering them. Off at first, as
    /// the system has it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(on)
    }

    /// How long closing waits for unsent data.
    ///
    /// # Errors
    /// The system's.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self).linger()
    }

    /// Makes closing wait for unsent data; zero resets the connection instead.
    /// A wait blocks the thread that drops the stream.
    ///
    /// # Errors
    /// The system's.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self).set_linger(linger)
    }

    /// Makes the drop reset the connection, whatever is unsent.
    ///
    /// # Errors
    /// The system's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// Whether what comes in is acknowledged at once.
    ///
    /// # Errors
    /// The system's.
    #[cfg(target_os = "linux")]
    pub fn quickack(&self) -> io::Result<bool> {
        SockRef::from(self).tcp_quickack()
    }

    /// Acknowledges at once what comes in, until the system thinks better of it: it is
    /// to be set anew after reads.
    ///
    /// # Errors
    /// The system's.
    #[cfg(target_os = "linux")]
    pub fn set_quickack(&self, on: bool) -> io::Result<()> {
        SockRef::from(self).set_tcp_quickack(on)
    }

    /// The time to live of its packets.
    ///
    /// # Errors
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets the time to live of its packets.
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }
}

impl StreamSocket for TcpStream {}
impl sealed::Stream for TcpStream {
    type Std = std::net::TcpStream;

    fn io(&self) -> &Io<std::net::TcpStream> {
        &self.io
    }
}

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
