//! One connection, from its first byte to its end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use ::hyper::body::{Body, Incoming};
use ::hyper::rt::{Read, Write};
use ::hyper::service::Service;
use ::hyper::{Request, Response};
use hyper_util::server::conn::auto;

use super::BoxError;
use super::crowd::Ticket;
use super::farewell::Farewell;
use super::greeting::Greeting;
use crate::hyper::Executor;

/// Serves until the peer or the server has had enough. An error is the peer's
/// affair: it broke off, or it spoke something else and was told so.
pub(super) async fn serve<I, S, B>(
    http: Arc<auto::Builder<Executor>>,
    io: Greeting<Farewell<I>>,
    service: S,
    mut ticket: Ticket,
) where
    I: Read + Write + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let mut connection = pin!(http.serve_connection_with_upgrades(io, service));
    let mut told = false;
    let _ = poll_fn(|cx| {
        // First the connection: a request that has come before the signal is
        // begun, and then it is finished.
        let polled = connection.as_mut().poll(cx);
        if polled.is_ready() || told || !ticket.is_closing(cx) {
            return polled.map(drop);
        }
        told = true;
        connection.as_mut().graceful_shutdown();
        connection.as_mut().poll(cx).map(drop)
    })
    .await;
}
