//! Who sent a request over TLS.

use ::axum::Extension;
use ::axum::extract::FromRequestParts;
use ::axum::extract::rejection::ExtensionRejection;
use ::axum::http::request::Parts;

use crate::hyper::tls::Peer;

/// # Errors
/// 500 if the request did not come over TLS.
impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Peer, ExtensionRejection> {
        let Extension(peer) = Extension::from_request_parts(parts, state).await?;
        Ok(peer)
    }
}
