//! How a client gets its connections.

mod race;
mod unix;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::hyper::Uri;
use futures::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tower_service::Service;

pub use self::unix::UnixConnector;
use crate::net::{TcpSocket, TcpStream, lookup_host};
use crate::time::timeout;

/// For the lookup and all attempts together, if nobody says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to the host of a URI, over TCP. A `tower` service of URIs, as
/// `hyper_util::client::legacy::Client` wants it (with the feature
/// `hyper-client`), and a base for connectors that add TLS.
///
/// Names are looked up by the system's resolver, while no P waits. If a name has
/// several addresses, the first has a head start of 250 ms; then the next is tried
/// as well, addresses of IPv6 and IPv4 in turns, and the first connection wins
/// (RFC 8305).
///
/// ```
/// use gmp::hyper::{Connector, Executor, Timer};
/// use http_body_util::Empty;
/// use hyper::body::Bytes;
/// use hyper_util::client::legacy::Client;
/// use std::time::Duration;
///
/// # gmp::block_on(async {
/// # use hyper::{Request, Response, body::Incoming, service::service_fn};
/// # async fn hello(_: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
/// #     Ok(Response::new("Hello\n".to_owned()))
/// # }
/// # let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let addr = listener.local_addr()?;
/// # gmp::spawn(gmp::hyper::serve(listener, |_| service_fn(hello)));
/// let connector = Connector::new().connect_timeout(Duration::from_secs(5));
/// let client: Client<_, Empty<Bytes>> = Client::builder(Executor)
///     .timer(Timer)
///     .pool_timer(Timer)
///     .build(connector);
/// let response = client.get(format!("http://{addr}/").parse().unwrap()).await?;
/// assert!(response.status().is_success());
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    connect_timeout: Duration,
    enforce_http: bool,
    keepalive: Option<Duration>,
    local_address: Option<IpAddr>,
    nodelay: bool,
}

impl Default for Connector {
    fn default() -> Connector {
        Connector::new()
    }
}

impl Connector {
    /// A connector that gives up after 30 seconds, sends small writes at once and
    /// leaves keep-alive off.
    pub fn new() -> Connector {
        Connector {
            connect_timeout: PATIENCE,
            enforce_http: true,
            keepalive: None,
            local_address: None,
            nodelay: true,
        }
    }

    /// How long the lookup and all attempts may take together. `Duration::MAX`
    /// is no limit of ours.
    #[must_use]
    pub fn connect_timeout(mut self, patience: Duration) -> Connector {
        self.connect_timeout = patience;
        self
    }

    /// Whether other schemes than `http` are an error, as they are at first. What
    /// adds TLS to the connection switches this off.
    #[must_use]
    pub fn enforce_http(mut self, on: bool) -> Connector {
        self.enforce_http = on;
        self
    }

    /// Asks a peer that has been silent for so long whether it is still there;
    /// `None` asks nobody.
    #[must_use]
    pub fn keepalive(mut self, idle: Option<Duration>) -> Connector {
        self.keepalive = idle;
        self
    }

    /// The address of this machine that connections come from; `None`, as at first,
    /// leaves it to the system. Of a host, only addresses of the same family are
    /// tried.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    ///
    /// let from_here = gmp::hyper::Connector::new().local_address(Some(Ipv4Addr::LOCALHOST.into()));
    /// # drop(from_here);
    /// ```
    #[must_use]
    pub fn local_address(mut self, addr: Option<IpAddr>) -> Connector {
        self.local_address = addr;
        self
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`), as they are at
    /// first.
    #[must_use]
    pub fn nodelay(mut self, on: bool) -> Connector {
        self.nodelay = on;
        self
    }

    async fn connect(self, uri: Uri) -> io::Result<TcpStream> {
        let (host, port) = self.target(&uri)?;
        let connecting = async {
            let addrs = lookup_host((host, port))
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("{host}: {error}")))?;
            let addrs = addrs.filter(|addr| self.may_reach(*addr));
            race::race(addrs, |addr| self.attempt(addr)).await
        };
        let stream = timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| {
                io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no connection to {host}:{port} in time"),
                )
            })??;
        if self.nodelay {
            stream.set_nodelay(true)?;
        }
        if let Some(idle) = self.keepalive {
            SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
        }
        Ok(stream)
    }

    fn may_reach(&self, addr: SocketAddr) -> bool {
        let local = self.local_address;
        local.is_none_or(|local| local.is_ipv4() == addr.is_ipv4())
    }

    async fn attempt(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        let Some(local) = self.local_address else {
            return TcpStream::connect(addr).await;
        };
        let socket = match local {
            IpAddr::V4(_) => TcpSocket::new_v4(),
            IpAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        socket.bind(SocketAddr::new(local, 0))?;
        socket.connect(addr).await
    }

    fn target<'a>(&self, uri: &'a Uri) -> io::Result<(&'a str, u16)> {
        let https = uri.scheme_str() == Some("https");
        if self.enforce_http && !matches!(uri.scheme_str(), None | Some("http")) {
            return Err(wrong(
                "this connector speaks http alone: wrap it for other schemes, with enforce_http(false)",
            ));
        }
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            return Err(wrong("the URI has no host to connect to"));
        };
        let literal = host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        Ok((literal.unwrap_or(host), port))
    }
}

fn wrong(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

impl Service<Uri> for Connector {
    type Response = TcpStream;
    type Error = io::Error;
    type Future = Connecting<TcpStream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// # Errors
    /// `InvalidInput` for a URI without a host or with another scheme; `TimedOut`;
    /// the resolver's; else the first that an attempt met: `ConnectionRefused` and
    /// the like.
    fn call(&mut self, uri: Uri) -> Connecting<TcpStream> {
        Connecting::new(self.clone().connect(uri))
    }
}

/// A connection on its way: the future of [`Connector`], [`UnixConnector`] and
/// `tls::HttpsConnector`.
///
/// # Cancel safety
/// Yes: dropping it ends the attempts.
#[must_use = "futures do nothing unless awaited"]
pub struct Connecting<S>(BoxFuture<'static, io::Result<S>>);

impl<S> Connecting<S> {
    pub(super) fn new(connecting: impl Future<Output = io::Result<S>> + Send + 'static) -> Self {
        Connecting(Box::pin(connecting))
    }
}

impl<S> Future for Connecting<S> {
    type Output = io::Result<S>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<S>> {
        self.get_mut().0.as_mut().poll(cx)
    }
}

impl<S> fmt::Debug for Connecting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connecting")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_tells_host_and_port() {
        for (uri, expected) in [
            ("http://a.test", ("a.test", 80)),
            ("http://a.test:8080/path?query", ("a.test", 8080)),
            ("http://user@[::1]:1", ("::1", 1)),
            ("https://a.test", ("a.test", 443)),
            ("a.test:99", ("a.test", 99)),
        ] {
            let connector = Connector::new().enforce_http(false);
            assert_eq!(connector.target(&uri.parse().unwrap()).unwrap(), expected);
        }
        for uri in ["https://a.test", "/path", "ftp://a.test"] {
            let error = Connector::new().target(&uri.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
