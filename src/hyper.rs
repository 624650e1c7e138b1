//! hyper on gmp: an [`Executor`], a [`Timer`], an [`Io`] adaptor, a server
//! ([`serve()`]) and a [`Connector`] for clients. No Tokio runtime is involved.
//!
//! The sockets of [`net`](crate::net) implement `hyper::rt::{Read, Write}` and
//! need no adaptor. With the feature `hyper-client` they are also connections for
//! `hyper_util::client::legacy::Client`; that feature compiles Tokio's sockets,
//! which nobody runs.
//!
//! `tls` (feature of that name) has a listener and a connector that speak TLS.
//!
//! [`serve()`] is set up already. Give a hyper builder of your own the timer as
//! well as the executor, for HTTP/1 and for HTTP/2: without one, hyper's default
//! time-out for request headers is off, and one that was asked for panics.
//!
//! ```
//! use gmp::hyper::{Executor, Timer};
//! use hyper_util::server::conn::auto::Builder;
//!
//! let mut builder = Builder::new(Executor);
//! builder.http1().timer(Timer);
//! builder.http2().timer(Timer);
//! ```

#[cfg(feature = "hyper-client")]
mod connected;
mod connector;
mod io;
mod serve;
mod timer;
#[cfg(feature = "tls")]
pub mod tls;

use std::pin::Pin;
use std::task::{Context, Poll};

use ::hyper::rt;
use gmp_executor::leaf;
use pin_project::pin_project;

#[cfg(feature = "hyper-client")]
pub use self::connected::HttpInfo;
pub use self::connector::{Connecting, Connector, UnixConnector};
pub use self::io::Io;
pub use self::serve::{
    ByClone, ByClosure, IncomingStream, Listener, MakeService, Serve, Served, serve,
};
pub use self::timer::Timer;

/// Spawns hyper's tasks on this thread's runtime, else on the global one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        drop(crate::spawn(Stream { future }));
    }
}

/// A request's task, of which a connection has many. Each wakes the connection when
/// it has something to write: after all of them it writes once.
#[pin_project]
struct Stream<F> {
    #[pin]
    future: F,
}

impl<F: Future> Future for Stream<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        leaf::waking_last(|| self.project().future.poll(cx))
    }
}
