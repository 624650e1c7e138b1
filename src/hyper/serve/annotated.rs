//! What a connection's listener knows of it, in each of its requests.

use ::hyper::Request;
use ::hyper::http::Extensions;
use ::hyper::service::Service;

/// A connection's service, and what its requests get on the way.
pub(super) struct Annotated<S> {
    pub(super) service: S,
    pub(super) extensions: Extensions,
}

impl<S, B> Service<Request<B>> for Annotated<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<B>) -> S::Future {
        if !self.extensions.is_empty() {
            request.extensions_mut().extend(self.extensions.clone());
        }
        self.service.call(request)
    }
}
