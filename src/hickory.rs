//! DNS on gmp: a [`Provider`] for the crate `hickory-resolver`, over the sockets,
//! timers and tasks of this one. No Tokio runtime is involved, and no thread
//! blocks, as one does in [`net::lookup_host`](crate::net::lookup_host), which asks
//! the system.
//!
//! [`resolver`] is set up as the system says. Any other configuration goes through
//! hickory's own builder, which takes a [`Provider`].
//!
//! DNS over TLS and over HTTPS work with hickory's features for them; those compile
//! Tokio, which nobody runs. DNS over QUIC is not there.
//!
//! ```
//! use gmp::hickory::{Provider, Resolver};
//! use hickory_resolver::config::ResolverConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Without a server: names of this machine alone.
//! let config = ResolverConfig::from_parts(None, vec![], vec![]);
//! let resolver = Resolver::builder_with_config(config, Provider::new()).build()?;
//! gmp::block_on(async {
//!     let found = resolver.lookup_ip("localhost.").await?;
//!     assert!(found.iter().all(|addr| addr.is_loopback()));
//!     Ok(())
//! })
//! # }
//! ```

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::{self, DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn};

use crate::net::{TcpSocket, TcpStream, UdpSocket};
use crate::task::JoinSet;
use crate::time;

/// hickory's resolver on gmp.
pub type Resolver = hickory_resolver::Resolver<Provider>;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How long a connection may take to come about when hickory does not say.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A resolver with the servers and options that the system has for its own
/// (`/etc/resolv.conf`).
///
/// # Errors
/// The file cannot be read, or says what cannot be.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let resolver = gmp::hickory::resolver()?;
/// for addr in resolver.lookup_ip("example.org.").await?.iter() {
///     println!("{addr}");
/// }
/// # Ok(()) }
/// ```
pub fn resolver() -> Result<Resolver, NetError> {
    Resolver::builder(Provider::new())?.build()
}

/// What hickory asks of a runtime. Tasks and sockets belong to this thread's
/// runtime, else to the global one; the tasks end when the last clone goes, which a
/// resolver keeps.
#[derive(Clone, Default, Debug)]
pub struct Provider {
    tasks: Tasks,
}

impl Provider {
    /// A provider without tasks.
    pub fn new() -> Provider {
        Provider::default()
    }
}

impl RuntimeProvider for Provider {
    type Handle = Tasks;
    type Timer = Time;
    type Udp = UdpSocket;
    type Tcp = TcpStream;

    fn create_handle(&self) -> Tasks {
        self.tasks.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        local: Option<SocketAddr>,
        limit: Option<Duration>,
    ) -> Boxed<'static, io::Result<TcpStream>> {
        Box::pin(async move {
            let socket = if server.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            if let Some(local) = local {
                socket.bind(local)?;
            }
            socket.set_nodelay(true)?;
            limited(limit.unwrap_or(CONNECT_LIMIT), socket.connect(server)).await?
        })
    }

    fn bind_udp(
        &self,
        local: SocketAddr,
        _server: SocketAddr,
    ) -> Boxed<'static, io::Result<UdpSocket>> {
        Box::pin(UdpSocket::bind(local))
    }
}

/// The tasks that a [`Provider`] and its clones have spawned and not seen ending.
#[derive(Clone, Default)]
pub struct Tasks {
    running: Arc<Mutex<JoinSet<()>>>,
}

impl Spawn for Tasks {
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.spawn(future);
        while running.try_join_next().is_some() {}
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Tasks")
            .field("running", &running.len())
            .finish()
    }
}

/// gmp's clock and timers, also when a test has stopped them. How old an answer is,
/// hickory asks the system.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Time;

impl runtime::Time for Time {
    #[track_caller]
    fn delay_for<'a>(duration: Duration) -> Boxed<'a, ()> {
        Box::pin(time::sleep(duration))
    }

    #[track_caller]
    fn timeout<'a, F>(duration: Duration, future: F) -> Boxed<'a, io::Result<F::Output>>
    where
        F: Future + Send + 'static,
    {
        Box::pin(limited(duration, future))
    }
}

async fn limited<F: Future>(limit: Duration, future: F) -> io::Result<F::Output> {
    time::timeout(limit, future)
        .await
        .map_err(|_elapsed| io::ErrorKind::TimedOut.into())
}

impl DnsUdpSocket for UdpSocket {
    type Time = Time;

    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        UdpSocket::poll_recv_from(self, cx, buf)
    }

    fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        UdpSocket::poll_send_to(self, cx, buf, target)
    }
}

impl DnsTcpStream for TcpStream {
    type Time = Time;
}
