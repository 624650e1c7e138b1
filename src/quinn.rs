//! QUIC on gmp: a [`Runtime`] for the crate `quinn`, over the sockets, timers and
//! tasks of this one. No Tokio runtime is involved.
//!
//! [`server`] and [`client`] make an endpoint at once. They stand for
//! `quinn::Endpoint::{server, client}`, which look for a runtime that quinn knows
//! by name and fail here with "no async runtime found". `Endpoint::new` and
//! `Endpoint::new_with_abstract_socket` take a [`Runtime`] and a [`Socket`] as they
//! are.
//!
//! Datagrams go in batches where the system has them: segmentation offload when
//! sending, receive offload and several datagrams a call when receiving. Timers are
//! moved in place. Under [stopped time](crate::time::pause) quinn's clock stands
//! still as well.
//!
//! ```
//! use quinn::rustls::RootCertStore;
//! use quinn::rustls::pki_types::PrivatePkcs8KeyDer;
//! use std::net::Ipv4Addr;
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
//! let mut roots = RootCertStore::empty();
//! roots.add(made.cert.der().clone())?;
//! let served = quinn::ServerConfig::with_single_cert(vec![made.cert.der().clone()], key.into())?;
//! let trusting = quinn::ClientConfig::with_root_certificates(Arc::new(roots))?;
//!
//! gmp::block_on(async {
//!     let server = gmp::quinn::server(served, (Ipv4Addr::LOCALHOST, 0).into())?;
//!     let addr = server.local_addr()?;
//!     let greeter = gmp::spawn(async move {
//!         let caller = server.accept().await.expect("the endpoint is open").await?;
//!         let mut out = caller.open_uni().await?;
//!         out.write_all(b"hello").await?;
//!         out.finish()?;
//!         caller.closed().await;
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//!     });
//!
//!     let mut client = gmp::quinn::client((Ipv4Addr::UNSPECIFIED, 0).into())?;
//!     client.set_default_client_config(trusting);
//!     let connection = client.connect(addr, "localhost")?.await?;
//!     let mut greeting = connection.accept_uni().await?;
//!     assert_eq!(greeting.read_to_end(100).await?, b"hello");
//!     connection.close(0u8.into(), b"bye");
//!     greeter.await.expect("no panic").expect("no error");
//!     Ok(())
//! })
//! # }
//! ```

mod socket;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use ::quinn::{AsyncTimer, AsyncUdpSocket, Endpoint, EndpointConfig, ServerConfig};
use socket2::{Domain, Protocol, Type};

pub use self::socket::Socket;
use crate::net::UdpSocket;
use crate::time::{self, Sleep};

/// What quinn asks of a runtime. Tasks and sockets belong to this thread's
/// runtime, else to the global one.
///
/// ```
/// use quinn::{Endpoint, EndpointConfig};
/// use std::sync::Arc;
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let endpoint =
///     Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(gmp::quinn::Runtime))?;
/// assert_eq!(endpoint.open_connections(), 0);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Runtime;

impl ::quinn::Runtime for Runtime {
    #[track_caller]
    fn new_timer(&self, deadline: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(time::sleep_until(deadline.into()))
    }

    #[track_caller]
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(crate::spawn(future));
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(Socket::new(UdpSocket::from_std(socket)?)?))
    }

    fn now(&self) -> Instant {
        time::Instant::now().into()
    }
}

/// In place: quinn moves a connection's timer with nearly every packet.
impl AsyncTimer for Sleep {
    fn reset(self: Pin<&mut Self>, deadline: Instant) {
        Sleep::reset(self, deadline.into());
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Future::poll(self, cx)
    }
}

/// An endpoint at `addr` that takes connections, and may make them once it has a
/// default client configuration.
///
/// # Errors
/// The system's: `AddrInUse`, `AddrNotAvailable`.
pub fn server(config: ServerConfig, addr: SocketAddr) -> io::Result<Endpoint> {
    endpoint(Some(config), addr, false)
}

/// An endpoint at the local `addr` for connections that this side makes; port 0
/// lets the system choose. A socket of IPv6 reaches IPv4 peers too where the system
/// allows that.
///
/// # Errors
/// The system's.
pub fn client(addr: SocketAddr) -> io::Result<Endpoint> {
    endpoint(None, addr, true)
}

fn endpoint(
    config: Option<ServerConfig>,
    addr: SocketAddr,
    both_families: bool,
) -> io::Result<Endpoint> {
    let kind = Type::DGRAM;
    let socket = socket2::Socket::new(Domain::for_address(addr), kind, Some(Protocol::UDP))?;
    if both_families && addr.is_ipv6() {
        // Systems that refuse it have sockets of one family only.
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&addr.into())?;
    let socket = Socket::new(UdpSocket::from_std(socket.into())?)?;
    Endpoint::new_with_abstract_socket(
        EndpointConfig::default(),
        config,
        Arc::new(socket),
        Arc::new(Runtime),
    )
}
