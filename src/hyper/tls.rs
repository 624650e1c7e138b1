//! TLS for servers and for hyper's clients, by rustls: [`TlsListener`] and
//! [`HttpsConnector`]. Feature `tls`.
//!
//! rustls needs a provider of cryptography, and this crate chooses none: depend on
//! rustls 0.23 with one of its features `ring` and `aws_lc_rs`, or give the
//! builders of the configurations a provider. [`rustls`] here is the same crate.
//! Clients that have to show a certificate: [`Peer`].
//!
//! A self-signed certificate, a server and a client (with the feature
//! `hyper-client`):
//!
//! ```
//! use gmp::hyper::tls::rustls::{ClientConfig, RootCertStore, ServerConfig};
//! use gmp::hyper::tls::{HttpsConnector, TlsListener};
//! use gmp::hyper::{Executor, Timer, serve};
//! use gmp::net::TcpListener;
//! use http_body_util::Empty;
//! use hyper::body::{Bytes, Incoming};
//! use hyper::{Request, Response, service::service_fn};
//! use hyper_util::client::legacy::Client;
//!
//! async fn hello(_: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
//!     Ok(Response::new("Hello\n".to_owned()))
//! }
//!
//! # gmp::block_on(async {
//! let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! let cert = made.cert.der().clone();
//! let key = made.signing_key.serialize_der().try_into()?;
//! let server = ServerConfig::builder()
//!     .with_no_client_auth()
//!     .with_single_cert(vec![cert.clone()], key)?;
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let port = listener.local_addr()?.port();
//! gmp::spawn(serve(TlsListener::new(listener, server), service_fn(hello)));
//!
//! let mut roots = RootCertStore::empty();
//! roots.add(cert)?;
//! let client = ClientConfig::builder()
//!     .with_root_certificates(roots)
//!     .with_no_client_auth();
//! let client: Client<_, Empty<Bytes>> = Client::builder(Executor)
//!     .timer(Timer)
//!     .pool_timer(Timer)
//!     .build(HttpsConnector::new(client));
//! let response = client.get(format!("https://localhost:{port}/").parse()?).await?;
//! assert_eq!(response.version(), hyper::Version::HTTP_2);
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod client;
mod handshake;
mod listener;
mod peer;

use std::time::Duration;

pub use futures_rustls::rustls;

pub use self::client::{HttpsConnector, HttpsStream};
pub use self::handshake::{Handshakes, TlsStream};
pub use self::listener::TlsListener;
pub use self::peer::Peer;

/// For a handshake, if nobody says otherwise. Go's client waits as long.
const PATIENCE: Duration = Duration::from_secs(10);

const H2: &[u8] = b"h2";

/// What both sides offer if their user has not chosen (ALPN).
fn protocols() -> Vec<Vec<u8>> {
    vec![H2.to_vec(), b"http/1.1".to_vec()]
}
