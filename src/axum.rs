//! axum on gmp: [`serve`] for routers, [`ConnectInfo`] for handlers, and
//! [`keep_alive()`] for event streams. No Tokio runtime is involved.
//!
//! Depend on axum with `default-features = false` and the features that you use
//! (`json`, `query`, `form`, ...). Its feature `tokio` is what compiles a runtime;
//! `axum::serve`, its `ConnectInfo` and its web sockets are behind that feature,
//! and have their counterparts here; web sockets with the feature `ws`.
//!
//! ```
//! use axum::{Router, routing::get};
//! use gmp::axum::ConnectInfo;
//! use gmp::net::TcpListener;
//! use std::net::SocketAddr;
//!
//! async fn whoami(ConnectInfo(addr): ConnectInfo<SocketAddr>) -> String {
//!     format!("you are {addr}\n")
//! }
//!
//! # gmp::block_on(async {
//! let app = Router::new()
//!     .route("/", get(async || "Hello\n"))
//!     .route("/whoami", get(whoami));
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let stop = gmp::time::sleep(std::time::Duration::from_millis(5));
//! // In a service: `async { shutdown().await.expect("handlers"); }`.
//! gmp::axum::serve(listener, app)
//!     .with_graceful_shutdown(stop)
//!     .await?;
//! # std::io::Result::Ok(()) }).unwrap();
//! ```

mod answers;
mod connect_info;
mod keep_alive;
#[cfg(feature = "tls")]
mod peer;
#[cfg(feature = "ws")]
pub mod ws;

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use ::axum::body::Body;
use ::axum::extract::Request;
use ::axum::http::Method;
use ::axum::response::Response;
use ::hyper::body::Incoming;
use ::hyper::ext::Protocol;
use hyper_util::service::TowerToHyperService;
use tower_service::Service;

pub use self::answers::{Answers, ByItself, ByMaking};
pub use self::connect_info::ConnectInfo;
pub use self::keep_alive::{KeepAlive, keep_alive};
use crate::hyper::{IncomingStream, Listener, MakeService, Serve};

/// Serves a router, or any other service of axum's requests: a handler made into
/// a service, a router within layers. What `into_make_service` gives will do as well.
///
/// The result is a future with settings, [`Serve`]: a graceful stop, limits of
/// time and of connections. What [`hyper::serve`](crate::hyper::serve()) says of
/// errors, panics and dropping holds here too. Every request carries the address
/// of its peer, see [`ConnectInfo`].
///
/// # Errors
/// As [`hyper::serve`](crate::hyper::serve()).
///
/// # Cancel safety
/// Dropping the future closes the listener and all connections.
///
/// See the [module](self) for an example.
pub fn serve<L, A, S, By>(listener: L, service: A) -> Serve<L, Shared<S>, ByRouter>
where
    L: Listener,
    L::Addr: Sync,
    A: Answers<By, Service = S>,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let service = service.into_service();
    Serve::new(listener, Shared { service })
}

/// How [`Shared`] makes services; see [`MakeService`].
#[derive(Debug)]
pub enum ByRouter {}

/// Gives every connection a clone of one service. From [`serve`].
#[derive(Clone)]
pub struct Shared<S> {
    service: S,
}

impl<S> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<L, S> MakeService<L, ByRouter> for Shared<S>
where
    L: Listener,
    S: Clone,
{
    type Service = TowerToHyperService<Connected<S, L::Addr>>;

    fn make(&mut self, stream: IncomingStream<L>) -> Self::Service {
        TowerToHyperService::new(Connected {
            service: self.service.clone(),
            addr: stream.remote_addr().clone(),
        })
    }
}

/// The service of one connection: axum's bodies, and the peer's address.
#[derive(Clone)]
pub struct Connected<S, A> {
    service: S,
    addr: A,
}

impl<S, A: fmt::Debug> fmt::Debug for Connected<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}

/// Over HTTP/2 it is no `GET`, but routes should not care.
fn is_for_a_web_socket(request: &Request) -> bool {
    let protocol: Option<&Protocol> = request.extensions().get();
    request.method() == Method::CONNECT && protocol.is_some_and(|p| p.as_str() == "websocket")
}

impl<S, A> Service<::hyper::Request<Incoming>> for Connected<S, A>
where
    S: Service<Request>,
    A: Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: ::hyper::Request<Incoming>) -> S::Future {
        let mut request = request.map(Body::new);
        if is_for_a_web_socket(&request) {
            *request.method_mut() = Method::GET;
        }
        let info = ConnectInfo(self.addr.clone());
        request.extensions_mut().insert(info);
        self.service.call(request)
    }
}
