//! Options before the socket has a role.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{TcpListener, TcpStream};
use crate::net::connect::socket;
use crate::net::options::packet_options;

/// A TCP socket that neither listens nor is connected, for options that must be
/// set before.
///
/// ```
/// use gmp::net::TcpSocket;
///
/// # gmp::block_on(async {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(1024)?;
/// # let addr = listener.local_addr()?;
/// # let stream = TcpSocket::new_v4()?.connect(addr).await?;
/// # assert_eq!(stream.peer_addr()?, addr);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpSocket {
    inner: Socket,
}

impl TcpSocket {
    fn new(domain: Domain) -> io::Result<TcpSocket> {
        Ok(TcpSocket {
            inner: socket(domain, Type::STREAM, Some(Protocol::TCP))?,
        })
    }

    /// A socket for IPv4.
    ///
    /// # Errors
    /// The system's.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    /// The system's.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV6)
    }

    /// Gives the socket an address of this machine.
    ///
    /// # Errors
    /// The system's: `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.inner.bind(&addr.into())
    }

    /// Connects.
    ///
    /// # Errors
    /// The system's: `ConnectionRefused` and the like.
    ///
    /// # Cancel safety
    /// Yes: the attempt ends.
    #[track_caller]
    pub fn connect(self, addr: SocketAddr) -> impl Future<Output = io::Result<TcpStream>> {
        TcpStream::connect_socket(self.inner, addr, Location::caller())
    }

    /// Listens, with room for `backlog` connections that wait to be accepted.
    ///
    /// # Errors
    /// The system's: `AddrInUse`.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        TcpListener::listening(self.inner, backlog)
    }

    /// The socket's address.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let addr: SockAddr = self.inner.local_addr()?;
        addr.as_socket()
            .ok_or_else(|| io::Error::other("a TCP socket has an address of another family"))
    }

    /// The error that the system keeps for the socket, which it forgets.
    ///
    /// # Errors
    /// The system's, about the question.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.inner.take_error()
    }
}

/// A setter and a getter for each option that the system keeps as it is given.
macro_rules! options {
    ($($(#[$doc:meta])* $set:ident, $get:ident, $type:ty => $inner_set:ident, $inner_get:ident;)*) => {
        impl TcpSocket {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// The system's.
                pub fn $set(&self, value: $type) -> io::Result<()> {
                    self.inner.$inner_set(value)
                }

                #[doc = concat!("What [`", stringify!($set), "`](Self::", stringify!($set), ") sets.")]
                ///
                /// # Errors
                /// The system's.
                pub fn $get(&self) -> io::Result<$type> {
                    self.inner.$inner_get()
                }
            )*
        }
    };
}

options! {
    /// Allows an address whose connections of an earlier socket are still
    /// ending.
    set_reuseaddr, reuseaddr, bool => set_reuse_address, reuse_address;
    /// Allows several sockets to share an address; the system spreads the
    /// connections over those that listen.
    set_reuseport, reuseport, bool => set_reuse_port, reuse_port;
    /// Asks a silent peer from time to time whether it is still there.
    set_keepalive, keepalive, bool => set_keepalive, keepalive;
    /// Sends small writes at once instead of gathering them.
    set_nodelay, nodelay, bool => set_tcp_nodelay, tcp_nodelay;
    /// Makes closing wait for unsent data; zero resets the connection instead.
    set_linger, linger, Option<Duration> => set_linger, linger;
}

impl TcpSocket {
    packet_options!(this => this.inner);

    /// Makes the drop reset the connection, whatever is unsent.
    ///
    /// # Errors
    /// The system's.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// Asks for a send buffer of so many bytes; the system may take more or
    /// less.
    ///
    /// # Errors
    /// The system's.
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.inner.set_send_buffer_size(bytes as usize)
    }

    /// The size of the send buffer in bytes, as the system has it.
    ///
    /// # Errors
    /// The system's.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.inner.send_buffer_size().map(clamp)
    }

    /// Asks for a receive buffer of so many bytes; the system may take more or
    /// less.
    ///
    /// # Errors
    /// The system's.
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.inner.set_recv_buffer_size(bytes as usize)
    }

    /// The size of the receive buffer in bytes, as the system has it.
    ///
    /// # Errors
    /// The system's.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.inner.recv_buffer_size().map(clamp)
    }
}

fn clamp(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
