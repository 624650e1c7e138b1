//! UDP.

mod batch;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};

use gmp_reactor::Direction;
use socket2::{Domain, Protocol, SockRef, Type};

pub use self::batch::{Datagram, DatagramBuf};
use super::addr::{lookup_host, try_each};
use super::datagram::{datagram_methods, one};
use super::options::packet_options;
use super::{ToSocketAddrs, connect};
use crate::async_io::Io;

/// A UDP socket. Any number of tasks may send and receive at once.
///
/// ```
/// use gmp::net::UdpSocket;
///
/// # gmp::block_on(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"ping", server.local_addr()?).await?;
/// let mut buf = [0; 16];
/// let (n, from) = server.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..n], from), (&b"ping"[..], client.local_addr()?));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    io: Io<std::net::UdpSocket>,
}

impl UdpSocket {
    /// A socket at the first of the addresses that is free.
    ///
    /// # Errors
    /// Those of the last address: `AddrInUse`, `AddrNotAvailable`; those of
    /// [`lookup_host`].
    pub fn bind<A: ToSocketAddrs>(addr: A) -> impl Future<Output = io::Result<UdpSocket>> {
        try_each(addr, async |addr| {
            let socket =
                connect::socket(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
            socket.bind(&addr.into())?;
            Ok(UdpSocket {
                io: Io::new(socket.into())?,
            })
        })
    }

    /// A socket of std's, which is put into non-blocking mode.
    ///
    /// # Errors
    /// The system's.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        Ok(UdpSocket {
            io: Io::new(socket)?,
        })
    }

    /// The socket as std's, still in non-blocking mode.
    ///
    /// # Errors
    /// None at present.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        Ok(self.io.into_inner())
    }

    #[cfg(feature = "quinn")]
    pub(crate) fn io(&self) -> &Io<std::net::UdpSocket> {
        &self.io
    }

    /// Makes the first of the addresses that works the only peer.
    ///
    /// # Errors
    /// Those of the last address; those of [`lookup_host`].
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> impl Future<Output = io::Result<()>> {
        try_each(addr, async |addr| self.io.get_ref().connect(addr))
    }

    datagram_methods!();

    /// Sends one datagram to the first of the addresses.
    ///
    /// # Errors
    /// The system's; those of [`lookup_host`]; `TimedOut` after the write
    /// deadline.
    ///
    /// # Cancel safety
    /// Yes: if the future is dropped, nothing was sent.
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(
        &self,
        buf: &[u8],
        target: A,
    ) -> impl Future<Output = io::Result<usize>> {
        let location = Location::caller();
        async move {
            let target = lookup_host(target).await?.next().ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "the target has no address")
            })?;
            let send = || one(self.io.get_ref().send_to(buf, target));
            self.io.op(Direction::Write, location, send).await
        }
    }

    /// As [`send_to`](Self::send_to), for hand-written futures.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io
            .poll_io(Direction::Write, cx, Location::caller(), || {
                one(self.io.get_ref().send_to(buf, target))
            })
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`; the system's.
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.io.try_io(Direction::Write, || {
            one(self.io.get_ref().send_to(buf, target))
        })
    }

    /// Copies the datagram that comes next without taking it.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        self.io.op(Direction::Read, Location::caller(), move || {
            one(self.io.get_ref().peek(buf))
        })
    }

    /// Copies the datagram that comes next, with its sender's address, without
    /// taking it.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn peek_from(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        self.io.op(Direction::Read, Location::caller(), move || {
            one(self.io.get_ref().peek_from(buf))
        })
    }

    /// As [`peek_from`](Self::peek_from), for hand-written futures.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.io
            .poll_io(Direction::Read, cx, Location::caller(), || {
                one(self.io.get_ref().peek_from(buf))
            })
    }

    /// As [`peek_from`](Self::peek_from), without waiting.
    ///
    /// # Errors
    /// `WouldBlock`; the system's.
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .try_io(Direction::Read, || one(self.io.get_ref().peek_from(buf)))
    }

    packet_options!(this => SockRef::from(this));

    /// Joins the group `multiaddr` on the interface with this address.
    ///
    /// # Errors
    /// The system's.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().join_multicast_v4(&multiaddr, &interface)
    }

    /// Joins the group `multiaddr` on the interface with this number.
    ///
    /// # Errors
    /// The system's.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().join_multicast_v6(multiaddr, interface)
    }

    /// Leaves the group `multiaddr` on the interface with this address.
    ///
    /// # Errors
    /// The system's.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v4(&multiaddr, &interface)
    }

    /// Leaves the group `multiaddr` on the interface with this number.
    ///
    /// # Errors
    /// The system's.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get_ref().leave_multicast_v6(multiaddr, interface)
    }
}

/// A setter and a getter for each option that std knows.
macro_rules! options {
    ($($(#[$doc:meta])* $set:ident, $get:ident, $type:ty;)*) => {
        impl UdpSocket {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// The system's.
                pub fn $set(&self, value: $type) -> io::Result<()> {
                    self.io.get_ref().$set(value)
                }

                #[doc = concat!("What [`", stringify!($set), "`](Self::", stringify!($set), ") sets.")]
                ///
                /// # Errors
                /// The system's.
                pub fn $get(&self) -> io::Result<$type> {
                    self.io.get_ref().$get()
                }
            )*
        }
    };
}

options! {
    /// Allows sending to broadcast addresses.
    set_broadcast, broadcast, bool;
    /// Sets the time to live of its packets.
    set_ttl, ttl, u32;
    /// Brings what it sends to its groups back to this machine as well.
    set_multicast_loop_v4, multicast_loop_v4, bool;
    /// As [`set_multicast_loop_v4`](Self::set_multicast_loop_v4), for IPv6.
    set_multicast_loop_v6, multicast_loop_v6, bool;
    /// Sets how far packets to a group go.
    set_multicast_ttl_v4, multicast_ttl_v4, u32;
}

impl TryFrom<std::net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    fn try_from(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(socket)
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}
