//! A UDP socket as quinn uses it. One task receives, the endpoint's, and sits in
//! the one seat of its direction; every connection sends, and waits for room in a
//! seat of its own.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use ::quinn::{AsyncUdpSocket, UdpPoller};
use gmp_reactor::{Direction, Drained};
use pin_project::pin_project;

use crate::net::UdpSocket;

/// A [`UdpSocket`] for quinn, with the offloads that the system has.
///
/// ```
/// use gmp::net::UdpSocket;
/// use quinn::{Endpoint, EndpointConfig};
/// use std::sync::Arc;
///
/// # gmp::block_on(async {
/// let socket = UdpSocket::bind("127.0.0.1:0").await?;
/// socket.set_ttl(8)?;
/// let endpoint = Endpoint::new_with_abstract_socket(
///     EndpointConfig::default(),
///     None,
///     Arc::new(gmp::quinn::Socket::new(socket)?),
///     Arc::new(gmp::quinn::Runtime),
/// )?;
/// assert_ne!(endpoint.local_addr()?.port(), 0);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Socket {
    socket: UdpSocket,
    offloads: UdpSocketState,
}

impl Socket {
    /// Prepares the socket: its packets are not fragmented, and it reports
    /// congestion marks and the address that each datagram came to.
    ///
    /// # Errors
    /// The system's.
    pub fn new(socket: UdpSocket) -> io::Result<Socket> {
        Ok(Socket {
            offloads: UdpSocketState::new((&socket).into())?,
            socket,
        })
    }

    /// The socket below.
    pub fn get_ref(&self) -> &UdpSocket {
        &self.socket
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Room {
            wait: None,
            make: move || {
                let this = self.clone();
                async move { this.socket.writable().await }
            },
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.io().try_io(Direction::Write, || {
            self.offloads.send((&self.socket).into(), transmit)?;
            Ok(((), Drained::No))
        })
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let place = Location::caller();
        self.socket.io().poll_io(Direction::Read, cx, place, || {
            let n = self.offloads.recv((&self.socket).into(), bufs, meta)?;
            Ok((n, Drained::No))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.offloads.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.offloads.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.offloads.may_fragment()
    }
}

/// One connection's wait for room to send, over and over. The future of a wait
/// lives inside, so a wait allocates nothing.
#[pin_project]
struct Room<M, W> {
    make: M,
    #[pin]
    wait: Option<W>,
}

impl<M, W> UdpPoller for Room<M, W>
where
    M: Fn() -> W + Send + Sync + 'static,
    W: Future<Output = io::Result<()>> + Send + Sync + 'static,
{
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut this = self.project();
        let wait = match this.wait.as_mut().as_pin_mut() {
            Some(wait) => wait,
            None => {
                this.wait.set(Some((this.make)()));
                this.wait.as_mut().as_pin_mut().expect("it was just set")
            }
        };
        let room = ready!(wait.poll(cx));
        this.wait.set(None);
        Poll::Ready(room)
    }
}

impl<M, W> fmt::Debug for Room<M, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").finish_non_exhaustive()
    }
}
