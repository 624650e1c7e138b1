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
/// axum's own type of this name needs axum's feature `tokio`. Here a router is
/// served as it is; there is no `into_make_service_with_connect_info`. A test
/// without a server adds the layer `Extension(ConnectInfo(addr))`.
///
/// # Errors
/// As an extractor: 500 if the request did not come from `serve`, or by a listener
/// with other addresses.
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
        let Extension(info) = Extension::from_request_parts(parts, state).await?;
        Ok(info)
    }
}
