//! The client's side: a connector that adds TLS where the URI says so.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::hyper::Uri;
use ::hyper::rt::{Read, ReadBufCursor, Write};
use futures_rustls::client::TlsStream;
use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::{ClientConfig, ClientConnection};
use tower_service::Service;

use super::{PATIENCE, protocols};
use crate::hyper::{Connecting, Connector, Io};
use crate::net::TcpStream;
use crate::time::timeout;

/// Connects to the host of a URI: by TLS over TCP if the scheme is `https`, plainly
/// if it is `http`. For `hyper_util::client::legacy::Client` (with the feature
/// `hyper-client`), which speaks HTTP/2 where the server agreed to.
///
/// Whom to trust is up to the configuration; this crate brings no roots.
/// `rustls-platform-verifier`, `rustls-native-certs` and `webpki-roots` do.
///
/// See the [module](super) for an example.
#[derive(Clone)]
pub struct HttpsConnector {
    connector: Connector,
    config: Arc<ClientConfig>,
    patience: Duration,
    https_only: bool,
}

impl HttpsConnector {
    /// A connector that gives up a handshake after 10 seconds, on connections of
    /// [`Connector::new`]. If `config` names no protocols (ALPN), they are HTTP/2
    /// and HTTP/1.1.
    pub fn new(config: impl Into<Arc<ClientConfig>>) -> HttpsConnector {
        let mut config = config.into();
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = protocols();
        }
        HttpsConnector {
            connector: Connector::new().enforce_http(false),
            config,
            patience: PATIENCE,
            https_only: false,
        }
    }

    /// Gets the connections from `connector`, with its time-out and options.
    #[must_use]
    pub fn connector(mut self, connector: Connector) -> HttpsConnector {
        self.connector = connector.enforce_http(false);
        self
    }

    /// How long a handshake may take, once there is a connection.
    #[must_use]
    pub fn handshake_timeout(mut self, patience: Duration) -> HttpsConnector {
        self.patience = patience;
        self
    }

    /// Whether a URI with another scheme than `https` is an error. Not at first.
    #[must_use]
    pub fn https_only(mut self, on: bool) -> HttpsConnector {
        self.https_only = on;
        self
    }

    async fn connect(mut self, uri: Uri) -> io::Result<HttpsStream> {
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if !self.https_only => false,
            _ if self.https_only => return Err(wrong("this connector speaks https alone")),
            _ => return Err(wrong("this connector speaks http and https")),
        };
        let host = uri.host().unwrap_or_default().to_owned();
        if !https {
            let stream = self.connector.call(uri).await?;
            return Ok(HttpsStream(Kind::Plain(stream)));
        }
        let literal = host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']'));
        let name = ServerName::try_from(literal.unwrap_or(&host).to_owned())
            .map_err(|_| wrong("the URI has no host that a certificate could name"))?;
        let stream = self.connector.call(uri).await?;
        let shaking = futures_rustls::TlsConnector::from(self.config).connect(name, stream);
        let stream = timeout(self.patience, shaking).await.map_err(|_| {
            let error = format!("{host} did not finish its TLS handshake in time");
            io::Error::new(io::ErrorKind::TimedOut, error)
        })??;
        Ok(HttpsStream(Kind::Tls(Box::new(Io::new(stream)))))
    }
}

fn wrong(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

impl fmt::Debug for HttpsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsConnector")
            .field("connector", &self.connector)
            .field("handshake_timeout", &self.patience)
            .field("https_only", &self.https_only)
            .finish_non_exhaustive()
    }
}

impl Service<Uri> for HttpsConnector {
    type Response = HttpsStream;
    type Error = io::Error;
    type Future = Connecting<HttpsStream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// # Errors
    /// Those of [`Connector`]; `InvalidInput` for another scheme or a host that no
    /// certificate can name; `TimedOut`; `InvalidData` with a
    /// [`rustls::Error`](super::rustls::Error) inside, if the certificate is not
    /// trusted or the server speaks no TLS.
    fn call(&mut self, uri: Uri) -> Connecting<HttpsStream> {
        Connecting::new(self.clone().connect(uri))
    }
}

/// A connection of [`HttpsConnector`].
pub struct HttpsStream(Kind);

enum Kind {
    Plain(TcpStream),
    /// Boxed: a session is large.
    Tls(Box<Io<TlsStream<TcpStream>>>),
}

impl HttpsStream {
    /// The socket.
    pub fn tcp(&self) -> &TcpStream {
        match &self.0 {
            Kind::Plain(stream) => stream,
            Kind::Tls(stream) => stream.get_ref().get_ref().0,
        }
    }

    /// What rustls knows of the session: protocol, certificates. `None` without
    /// TLS.
    pub fn session(&self) -> Option<&ClientConnection> {
        match &self.0 {
            Kind::Plain(_) => None,
            Kind::Tls(stream) => Some(stream.get_ref().get_ref().1),
        }
    }
}

impl fmt::Debug for HttpsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsStream")
            .field("tcp", self.tcp())
            .field("tls", &self.session().is_some())
            .finish()
    }
}

impl Read for HttpsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Read::poll_read(Pin::new(stream), cx, buf),
            Kind::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl Write for HttpsStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Write::poll_write(Pin::new(stream), cx, buf),
            Kind::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Write::poll_flush(Pin::new(stream), cx),
            Kind::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Write::poll_shutdown(Pin::new(stream), cx),
            Kind::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Both kinds gather: the socket by `writev`, TLS into one record.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Write::poll_write_vectored(Pin::new(stream), cx, bufs),
            Kind::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }
}

#[cfg(feature = "hyper-client")]
mod connection {
    use hyper_util::client::legacy::connect::{Connected, Connection};

    use super::HttpsStream;
    use crate::hyper::tls::H2;

    impl Connection for HttpsStream {
        fn connected(&self) -> Connected {
            let connected = self.tcp().connected();
            match self.session().and_then(|session| session.alpn_protocol()) {
                Some(H2) => connected.negotiated_h2(),
                _ => connected,
            }
        }
    }
}
