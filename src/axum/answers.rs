//! What `serve` takes.

use std::convert::Infallible;

use ::axum::extract::Request;
use ::axum::response::Response;
use ::axum::routing::IntoMakeService;
use futures::FutureExt;
use tower_service::Service;

/// What [`serve`](super::serve()) takes: a router, or another service of axum's
/// requests; or what axum's `into_make_service` has made of one.
///
/// `By` keeps the two apart and is found by the compiler: [`ByItself`] or [`ByMaking`].
pub trait Answers<By = ByItself> {
    /// What answers the requests of all connections, by its clones.
    type Service;

    /// The service.
    fn into_service(self) -> Self::Service;
}

/// A service, as it is.
#[derive(Debug)]
pub enum ByItself {}

/// A service in the form that `axum::serve` may have.
#[derive(Debug)]
pub enum ByMaking {}

impl<S> Answers<ByItself> for S
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Service = S;

    fn into_service(self) -> S {
        self
    }
}

impl<S: Clone> Answers<ByMaking> for IntoMakeService<S> {
    type Service = S;

    fn into_service(mut self) -> S {
        let made = self.call(()).now_or_never();
        let Ok(service) = made.expect("a clone is there at once");
        service
    }
}
