//! Who sent a request.

use ::axum::Extension;
use ::axum::extract::FromRequestParts;
use ::axum::extract::rejection::ExtensionRejection;
use ::axum::http::request::Parts;

/// The address of a request's peer: an extractor, and in the extensions of every
/// request that [`serve`](super::serve) brings. `T` is the listener's kind of
/// address: `std::net::SocketAddr` of TCP, `std::os::unix::net::SocketAddr` of
/// Unix sockets.
///
/// As an extractor it knows as well what the listener
/// [annotates](crate::hyper::Listener::annotate): [`UCred`](crate::net::unix::UCred)
/// of Unix sockets on Linux, the user and process at the other end.
///
/// axum's own type of this name needs axum's feature `tokio`. Here a router is
/// served as it is; there is no `into_make_service_with_connect_info`. A test
/// without a server adds the layer `Extension(ConnectInfo(addr))`.
///
/// # Errors
/// As an extractor: 500 if the request did not come from `serve`, or by a listener
/// that knows no `T`.
///
/// ```
/// use gmp::axum::ConnectInfo;
/// use std::net::SocketAddr;
///
/// async fn handler(ConnectInfo(addr): ConnectInfo<SocketAddr>) -> String {
///     format!("Hello {addr}")
/// }
/// # axum::Router::<()>::new().route("/", axum::routing::get(handler));
/// ```
///
/// ```
/// use gmp::axum::ConnectInfo;
/// use gmp::net::unix::UCred;
///
/// async fn handler(ConnectInfo(cred): ConnectInfo<UCred>) -> String {
///     format!("Hello user {}", cred.uid())
/// }
/// # axum::Router::<()>::new().route("/", axum::routing::get(handler));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectInfo<T>(pub T);

impl<S, T> FromRequestParts<S> for ConnectInfo<T>
where
    S: Send + Sync,
    T: Clone + Send + Sync + 'static,
{
    type Rejection = ExtensionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<ConnectInfo<T>, ExtensionRejection> {
        match Extension::from_request_parts(parts, state).await {
            Ok(Extension(info)) => Ok(info),
            Err(rejection) => parts
                .extensions
                .get()
                .map(|told: &T| ConnectInfo(told.clone()))
                .ok_or(rejection),
        }
    }
}
