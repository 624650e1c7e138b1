//! The server's side: who is there.

use std::fmt;
use std::sync::{Arc, OnceLock};

use futures_rustls::rustls::pki_types::CertificateDer;
use futures_rustls::rustls::{ProtocolVersion, ServerConnection};

/// What the peer of a [`TlsListener`](super::TlsListener)'s connection has shown in
/// its handshake: in the extensions of every request of the connection, in those of
/// the [`IncomingStream`](crate::hyper::IncomingStream), and with axum an extractor.
/// A clone shows the same.
///
/// A request comes after the handshake, so everything is there. A closure that makes
/// the service of a connection comes before it, and may keep a clone.
///
/// Whether a client has to have a certificate, and by whom, says the configuration:
/// rustls's `with_client_cert_verifier`. What arrives here was verified by that.
///
/// ```
/// use gmp::hyper::tls::Peer;
/// use hyper::body::Incoming;
/// use hyper::{Request, Response, StatusCode};
///
/// async fn members_only(request: Request<Incoming>) -> hyper::Result<Response<String>> {
///     let peer = request.extensions().get::<Peer>();
///     let mut response = Response::new(String::new());
///     match peer.and_then(|peer| peer.certificates().first()) {
///         Some(certificate) => {
///             *response.body_mut() = format!("{} bytes\n", certificate.len());
///         }
///         None => *response.status_mut() = StatusCode::FORBIDDEN,
///     }
///     Ok(response)
/// }
/// # hyper::service::service_fn(members_only);
/// ```
#[derive(Clone, Default)]
pub struct Peer {
    shown: Arc<OnceLock<Shown>>,
}

struct Shown {
    certificates: Vec<CertificateDer<'static>>,
    server_name: Option<Box<str>>,
    protocol: Option<Box<[u8]>>,
    version: Option<ProtocolVersion>,
}

impl Peer {
    /// The client's certificate, with those that lead to whoever is trusted; empty if
    /// it has shown none.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.shown.get().map_or(&[], |shown| &shown.certificates)
    }

    /// Whom the client wanted to reach (SNI).
    pub fn server_name(&self) -> Option<&str> {
        self.shown.get()?.server_name.as_deref()
    }

    /// The protocol that both sides agreed on (ALPN), as `b"h2"`.
    pub fn alpn_protocol(&self) -> Option<&[u8]> {
        self.shown.get()?.protocol.as_deref()
    }

    /// The version of TLS.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.shown.get()?.version
    }

    /// Hands have been shaken.
    pub(super) fn has_shown(&self, session: &ServerConnection) {
        let certificates = session.peer_certificates().unwrap_or_default();
        let _ = self.shown.set(Shown {
            certificates: certificates.to_vec(),
            server_name: session.server_name().map(Box::from),
            protocol: session.alpn_protocol().map(Box::from),
            version: session.protocol_version(),
        });
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("certificates", &self.certificates().len())
            .field("server_name", &self.server_name())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
