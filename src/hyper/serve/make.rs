//! What makes the service of each connection.

use ::hyper::Request;
use ::hyper::body::Incoming;
use ::hyper::service::Service;

use super::{IncomingStream, Listener};

/// Gives each connection its service. Services that are `Clone` do, and closures
/// of an [`IncomingStream`], so there is hardly a reason to implement it.
///
/// `By` keeps the two apart and is found by the compiler: [`ByClone`] or
/// [`ByClosure`].
pub trait MakeService<L: Listener, By = ByClone> {
    /// What answers the requests of one connection.
    type Service;

    /// The service of this connection.
    fn make(&mut self, stream: IncomingStream<L>) -> Self::Service;
}

/// Each connection gets a clone of one service.
#[derive(Debug)]
pub enum ByClone {}

/// A closure makes a service for each connection.
#[derive(Debug)]
pub enum ByClosure {}

impl<L, S> MakeService<L, ByClone> for S
where
    L: Listener,
    S: Service<Request<Incoming>> + Clone,
{
    type Service = S;

    fn make(&mut self, _: IncomingStream<L>) -> S {
        self.clone()
    }
}

impl<L, M, S> MakeService<L, ByClosure> for M
where
    L: Listener,
    M: FnMut(IncomingStream<L>) -> S,
{
    type Service = S;

    fn make(&mut self, stream: IncomingStream<L>) -> S {
        self(stream)
    }
}
