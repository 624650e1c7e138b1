//! A server: from a listener and what makes services to connections in tasks.
//!
//! HTTP/1.1, HTTP/2 with prior knowledge and upgrades on one port. Every
//! connection is a task of its own with a name, so a panic in a handler costs one
//! connection, and dumps tell who waits for whom. The server owns its connections:
//! when its future ends or is dropped, none is left behind.

mod annotated;
mod connection;
mod crowd;
mod farewell;
mod greeting;
mod listener;
mod make;

use std::error::Error;
use std::fmt;
use std::future::{pending, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::hyper::body::{Body, Incoming};
use ::hyper::http::Extensions;
use ::hyper::service::Service;
use ::hyper::{Request, Response};
use futures::future::{BoxFuture, Either, select};
use hyper_util::server::conn::auto;
use rustix::io::Errno;

use self::annotated::Annotated;
use self::crowd::Crowd;
use self::farewell::Farewell;
use self::greeting::{Greeting, Only};
pub use self::listener::{IncomingStream, Listener};
pub use self::make::{ByClone, ByClosure, MakeService};
use super::{Executor, Timer};
use crate::task::Builder;
use crate::time::{sleep, timeout};

/// For a request's head, and for a drain.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between a failed accept and the next one.
const PAUSE: Duration = Duration::from_millis(10);

/// Longer than this is for ever: hyper adds durations to moments unchecked.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves HTTP/1.1, HTTP/2 without TLS, and upgrades to the connections of
/// `listener`. `service` is a [`Service`] of hyper's that is `Clone`, every
/// connection gets a clone; or a closure that is called with each
/// [`IncomingStream`] and gives the service that answers its requests.
///
/// A connection that is closed while its peer still sends, because a handler did
/// not want the body or the head was too large, is read on for half a second, so
/// that the answer is not lost to a reset.
///
/// The result is a future with settings: see [`Serve`]. Awaited, it serves until
/// its signal comes ([`with_graceful_shutdown`](Serve::with_graceful_shutdown)).
///
/// # Errors
/// The future fails if the listener is none (any more): `EBADF`, `EINVAL`,
/// `ENOTSOCK`, `EOPNOTSUPP`. All other errors of an accept, such as a shortage of
/// descriptors, are met with a pause of 10 ms. Errors of a connection are its
/// own.
///
/// If connections had to be ended by force after the signal, the error is of kind
/// `TimedOut` and tells how many; [`report`](Serve::report) gives the number
/// instead.
///
/// # Panics
/// With the closure. A panic in a service ends its connection alone.
///
/// # Cancel safety
/// Dropping the future closes the listener and all connections.
///
/// ```
/// use gmp::net::TcpListener;
/// use http_body_util::Full;
/// use hyper::body::{Bytes, Incoming};
/// use hyper::service::service_fn;
/// use hyper::{Request, Response};
/// use std::convert::Infallible;
///
/// async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
///     Ok(Response::new(Full::from("Hello\n")))
/// }
///
/// # gmp::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let stop = gmp::time::sleep(std::time::Duration::from_millis(5));
/// // In a service: `async { shutdown().await.expect("handlers"); }`.
/// gmp::hyper::serve(listener, service_fn(hello))
///     .with_graceful_shutdown(stop)
///     .await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn serve<L, M, By>(listener: L, service: M) -> Serve<L, M, By>
where
    L: Listener,
    M: MakeService<L, By>,
{
    Serve::new(listener, service)
}

/// A server: the future of [`serve`], with its settings.
///
/// Settings come before the first poll.
#[must_use = "futures do nothing unless awaited"]
pub struct Serve<L, M, By = ByClone> {
    stage: Stage<L, M>,
    by: PhantomData<fn() -> By>,
}

enum Stage<L, M> {
    /// Boxed: it is large, and moves when it starts.
    New(Box<Start<L, M>>),
    Running(BoxFuture<'static, io::Result<Served>>),
    /// Within the first poll.
    Starting,
}

struct Start<L, M> {
    listener: L,
    make_service: M,
    http: auto::Builder<Executor>,
    signal: BoxFuture<'static, ()>,
    max_connections: usize,
    header_read_timeout: Duration,
    drain_timeout: Duration,
    only: Option<Only>,
}

/// What became of a server's connections. From [`Serve`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Served {
    /// How many connections were still at work at the end of the drain time-out
    /// and were ended by force.
    pub left: usize,
}

impl Served {
    fn complete(self) -> io::Result<()> {
        match self.left {
            0 => Ok(()),
            1 => Err(cut("one connection was")),
            n => Err(cut(&format!("{n} connections were"))),
        }
    }
}

fn cut(who: &str) -> io::Error {
    let text = format!("{who} still at work at the end of the drain time-out and had to be cut");
    io::Error::new(io::ErrorKind::TimedOut, text)
}

impl<L, M, By> Serve<L, M, By> {
    pub(crate) fn new(listener: L, make_service: M) -> Serve<L, M, By> {
        let mut http = auto::Builder::new(Executor);
        http.http1().timer(Timer);
        // A peer that vanished without a word is found out.
        http.http2()
            .timer(Timer)
            .keep_alive_interval(Some(PATIENCE));
        Serve {
            stage: Stage::New(Box::new(Start {
                listener,
                make_service,
                http,
                signal: Box::pin(pending()),
                max_connections: usize::MAX,
                header_read_timeout: PATIENCE,
                drain_timeout: PATIENCE,
                only: None,
            })),
            by: PhantomData,
        }
    }

    #[track_caller]
    fn start(&mut self) -> &mut Start<L, M> {
        match &mut self.stage {
            Stage::New(start) => start,
            _ => panic!("a server that runs cannot be set up: do that before the first poll"),
        }
    }

    /// Stops when `signal` ends: the listener is closed, so new connections are
    /// refused; idle connections are closed; requests that have begun are
    /// answered. The server's future ends when all connections have, or at the
    /// [`drain_timeout`](Self::drain_timeout).
    ///
    /// An upgraded connection is not the server's any more.
    ///
    /// # Panics
    /// After the first poll, as all settings.
    #[track_caller]
    pub fn with_graceful_shutdown<F>(mut self, signal: F) -> Serve<L, M, By>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.start().signal = Box::pin(signal);
        self
    }

    /// Serves at most `n` connections at once; more wait in the listener's
    /// backlog. No limit at first.
    ///
    /// # Panics
    /// If `n` is zero.
    #[track_caller]
    pub fn max_connections(mut self, n: usize) -> Serve<L, M, By> {
        assert!(n > 0, "a server needs at least one connection at a time");
        self.start().max_connections = n;
        self
    }

    /// Gives the head of each HTTP/1 request so long, 30 seconds at first. The
    /// time runs from the end of the request before, so it also closes
    /// connections without requests; from the accept on, for the first one.
    /// `Duration::MAX` is no limit.
    ///
    /// A connection of HTTP/2 has so long for its preface. After that it is asked
    /// every 30 seconds whether it is still there.
    #[track_caller]
    pub fn header_read_timeout(mut self, patience: Duration) -> Serve<L, M, By> {
        self.start().header_read_timeout = patience;
        self
    }

    /// How long connections may go on after the signal, 30 seconds at first;
    /// those that are left then are ended by force. `Duration::MAX` waits for
    /// all.
    #[track_caller]
    pub fn drain_timeout(mut self, patience: Duration) -> Serve<L, M, By> {
        self.start().drain_timeout = patience;
        self
    }

    /// Speaks HTTP/1 alone, with its upgrades. A connection that begins with the preface
    /// of HTTP/2 is closed. The list of protocols (ALPN) of a listener for TLS should
    /// not have `h2` then, or clients begin with it.
    #[track_caller]
    pub fn http1_only(mut self) -> Serve<L, M, By> {
        self.start().only = Some(Only::Http1);
        self
    }

    /// Speaks HTTP/2 alone, as servers of gRPC do. A connection that begins with
    /// anything else than its preface is closed.
    #[track_caller]
    pub fn http2_only(mut self) -> Serve<L, M, By> {
        self.start().only = Some(Only::Http2);
        self
    }

    /// Tells clients of HTTP/2 that they may open web sockets on their connection
    /// (extended `CONNECT`, RFC 8441), as [`axum::ws`](crate::axum::ws) opens them.
    ///
    /// Off at first: a browser that is told so asks in no other way, and a service
    /// that knows the upgrade of HTTP/1.1 alone would lose it. Such a request has the
    /// method `CONNECT` and a [`Protocol`](::hyper::ext::Protocol) in its extensions;
    /// [`axum::serve`](crate::axum::serve) makes it a `GET`, so that routes are the
    /// same for both.
    ///
    /// A socket is then a stream of its connection, which a stopping server waits for
    /// until the [`drain_timeout`](Self::drain_timeout).
    #[track_caller]
    pub fn http2_web_sockets(self) -> Serve<L, M, By> {
        self.configure(|http| {
            http.http2().enable_connect_protocol();
        })
    }

    /// Sets what else hyper lets its user set: limits, windows, header case. The
    /// timers are set already, and its choice of one protocol does nothing here: see
    /// [`http1_only`](Self::http1_only), [`http2_only`](Self::http2_only).
    ///
    /// ```
    /// # use hyper::{Request, Response, body::Incoming, service::service_fn};
    /// # async fn hello(_: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
    /// #     Ok(Response::new(String::new()))
    /// # }
    /// # gmp::block_on(async {
    /// # let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let server = gmp::hyper::serve(listener, |_| service_fn(hello)).configure(|http| {
    ///     http.http1().max_buf_size(64 * 1024);
    ///     http.http2().max_concurrent_streams(100);
    /// });
    /// # drop(server);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn configure(mut self, set: impl FnOnce(&mut auto::Builder<Executor>)) -> Serve<L, M, By> {
        set(&mut self.start().http);
        self
    }
}

/// Nothing inside is pinned in place.
impl<L, M, By> Unpin for Serve<L, M, By> {}

impl<L, M, By: 'static, B> Serve<L, M, By>
where
    L: Listener,
    M: MakeService<L, By> + Send + 'static,
    M::Service: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    <M::Service as Service<Request<Incoming>>>::Future: Send + 'static,
    <M::Service as Service<Request<Incoming>>>::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// Serves as the future itself does, and tells what became of the
    /// connections.
    ///
    /// # Errors
    /// As [`serve`], but connections that were ended by force are none.
    ///
    /// ```
    /// # use hyper::{Request, Response, body::Incoming, service::service_fn};
    /// # async fn hello(_: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
    /// #     Ok(Response::new(String::new()))
    /// # }
    /// # gmp::block_on(async {
    /// # let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let stop = async {};
    /// let served = gmp::hyper::serve(listener, service_fn(hello))
    ///     .with_graceful_shutdown(stop)
    ///     .report()
    ///     .await?;
    /// assert_eq!(served.left, 0);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn report(mut self) -> io::Result<Served> {
        poll_fn(|cx| self.poll_served(cx)).await
    }

    fn poll_served(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Served>> {
        if let Stage::New(_) = self.stage
            && let Stage::New(start) = std::mem::replace(&mut self.stage, Stage::Starting)
        {
            self.stage = Stage::Running(Box::pin(start.run::<By, B>()));
        }
        match &mut self.stage {
            Stage::Running(running) => running.as_mut().poll(cx),
            _ => unreachable!("only within the first poll"),
        }
    }
}

impl<L, M, By: 'static, B> Future for Serve<L, M, By>
where
    L: Listener,
    M: MakeService<L, By> + Send + 'static,
    M::Service: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    <M::Service as Service<Request<Incoming>>>::Future: Send + 'static,
    <M::Service as Service<Request<Incoming>>>::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let served = ready!(self.poll_served(cx))?;
        Poll::Ready(served.complete())
    }
}

impl<L: Listener, M> Start<L, M> {
    async fn run<By, B>(mut self) -> io::Result<Served>
    where
        M: MakeService<L, By>,
        M::Service: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        <M::Service as Service<Request<Incoming>>>::Future: Send + 'static,
        <M::Service as Service<Request<Incoming>>>::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let patience = Some(self.header_read_timeout).filter(|patience| *patience < FOREVER);
        self.http.http1().header_read_timeout(patience);
        let http = Arc::new(self.http);
        let crowd = Owned(Arc::default());
        loop {
            let next = async {
                poll_fn(|cx| crowd.0.poll_at_most(self.max_connections - 1, cx)).await;
                match self.listener.accept().await {
                    Err(error) if !is_fatal(&error) => {
                        sleep(PAUSE).await;
                        Ok(None)
                    }
                    accepted => accepted.map(Some),
                }
            };
            let (io, addr) = match select(self.signal.as_mut(), pin!(next)).await {
                Either::Left(((), _)) => break,
                Either::Right((accepted, _)) => match accepted? {
                    Some(connection) => connection,
                    None => continue,
                },
            };
            let mut extensions = Extensions::new();
            L::annotate(&io, &mut extensions);
            let stream = IncomingStream::new(addr.clone(), extensions.clone());
            let service = Annotated {
                service: self.make_service.make(stream),
                extensions,
            };
            let ticket = crowd.0.enter();
            let id = ticket.id();
            let io = Greeting::new(Farewell::new(io), patience, self.only);
            let task = Builder::new()
                .name(&format!("http {addr:?}"))
                .spawn(connection::serve(http.clone(), io, service, ticket));
            crowd.0.introduce(id, task.abort_handle());
        }
        drop(self.listener);
        crowd.0.close();
        let drained = poll_fn(|cx| crowd.0.poll_at_most(0, cx));
        let left = match timeout(self.drain_timeout, drained).await {
            Ok(()) => 0,
            Err(_) => crowd.0.abort(),
        };
        Ok(Served { left })
    }
}

/// Ends the connections with the server.
struct Owned(Arc<Crowd>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What no pause can mend: the descriptor does not listen.
fn is_fatal(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP)
    )
}

impl<L: fmt::Debug, M, By> fmt::Debug for Serve<L, M, By> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Stage::New(start) => f
                .debug_struct("Serve")
                .field("listener", &start.listener)
                .field("max_connections", &start.max_connections)
                .field("header_read_timeout", &start.header_read_timeout)
                .field("drain_timeout", &start.drain_timeout)
                .finish_non_exhaustive(),
            _ => f.write_str("Serve(running)"),
        }
    }
}
