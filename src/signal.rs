//! Signals of the operating system, as things to wait for.
//!
//! The handler writes a byte into a socket of each listener and does nothing
//! else; the netpoller does the rest. Signals that come faster than a listener
//! takes them become one.
//!
//! The first listener for a kind of signal replaces what the system would do
//! with it, for the rest of the process's life: after [`ctrl_c`] has been awaited
//! once, an interrupt does not end the process by itself any more.
//!
//! A service waits for [`shutdown`]: ctrl-c of a terminal, and the `SIGTERM` by which
//! service managers and containers say the same.

#![expect(unsafe_code, reason = "installs a signal handler")]

mod again;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::unix::net::UnixStream as Std;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use futures::io::{AsyncRead, AsyncReadExt};
use gmp_profiler::QuitListener;
use gmp_reactor::Origin;
use rustix::net::SendFlags;
use signal_hook_registry::{FORBIDDEN, SigId};

use self::again::{Listens, REQUESTS};
use crate::net::UnixStream;

/// Which signal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SignalKind(i32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident => $number:ident;)*) => {
        impl SignalKind {
            $(
                $(#[$doc])*
                pub const fn $name() -> SignalKind {
                    SignalKind(libc::$number)
                }
            )*
        }
    };
}

kinds! {
    /// `SIGINT`: ctrl-c.
    interrupt => SIGINT;
    /// `SIGTERM`: the polite way to end a process.
    terminate => SIGTERM;
    /// `SIGHUP`: the terminal is gone; daemons read their configuration again.
    hangup => SIGHUP;
    /// `SIGQUIT`: ctrl-\.
    quit => SIGQUIT;
    /// `SIGUSR1`.
    user_defined1 => SIGUSR1;
    /// `SIGUSR2`.
    user_defined2 => SIGUSR2;
    /// `SIGALRM`: a timer of the system.
    alarm => SIGALRM;
    /// `SIGCHLD`: a child has ended or stopped.
    child => SIGCHLD;
    /// `SIGIO`: a descriptor that was asked to tell so is ready.
    io => SIGIO;
    /// `SIGPIPE`: a write that nobody will read.
    pipe => SIGPIPE;
    /// `SIGWINCH`: the terminal's size has changed.
    window_change => SIGWINCH;
}

impl SignalKind {
    /// The signal with this number.
    pub const fn from_raw(number: i32) -> SignalKind {
        SignalKind(number)
    }

    /// The signal's number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// As [`as_raw`](Self::as_raw), under the name that Tokio has.
    pub const fn as_raw_value(&self) -> i32 {
        self.0
    }
}

impl From<i32> for SignalKind {
    fn from(number: i32) -> SignalKind {
        SignalKind(number)
    }
}

impl From<SignalKind> for i32 {
    fn from(kind: SignalKind) -> i32 {
        kind.0
    }
}

/// The names of this module where Tokio has them: `use gmp::signal::unix::{signal,
/// SignalKind}`.
pub mod unix {
    pub use super::unix as signal;
    pub use super::{Signal, SignalKind};
}

/// A listener for one kind of signal, from this call on. Each has its own copy
/// of what comes.
///
/// # Errors
/// `InvalidInput` for a signal that cannot be caught (`SIGKILL`, `SIGSTOP`) or
/// must not be (`SIGSEGV`, `SIGILL`, `SIGFPE`) or does not exist; the system's.
///
/// ```
/// use gmp::signal::{SignalKind, unix};
///
/// # gmp::block_on(async {
/// let mut hangups = unix(SignalKind::user_defined1())?;
/// # unsafe extern "C" { safe fn raise(number: i32) -> i32; }
/// # raise(SignalKind::user_defined1().as_raw());
/// hangups.recv().await;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn unix(kind: SignalKind) -> io::Result<Signal> {
    let number = kind.as_raw();
    if number <= 0 || FORBIDDEN.contains(&number) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this signal cannot be caught",
        ));
    }
    let quit = (kind == SignalKind::quit()).then(QuitListener::new);
    let (near, far) = Std::pair()?;
    far.set_nonblocking(true)?;
    let notes = UnixStream::from_std(near)?;
    let origin = Origin::here();
    let ring = move || {
        // A child of fork shares the socket: its signals are not the parent's.
        if origin.is_elsewhere() {
            return;
        }
        // Full is fine: a note waits already. Gone is fine: so is the listener.
        let _ = rustix::net::send(&far, &[1], SendFlags::DONTWAIT);
    };
    // SAFETY: `send` is safe in a signal handler, does not allocate and does not
    // panic; the registry keeps errno as it was.
    let id = unsafe { signal_hook_registry::register(number, ring) }?;
    Ok(Signal {
        kind,
        id,
        notes,
        _listens: Listens::to(kind),
        _quit: quit,
    })
}

/// Waits for ctrl-c (`SIGINT`), from the first poll on.
///
/// # Errors
/// The system's, if the handler cannot be installed.
///
/// # Cancel safety
/// Yes. A ctrl-c between two calls is lost, though: keep a [`Signal`] for those.
pub async fn ctrl_c() -> io::Result<()> {
    let heard = unix(SignalKind::interrupt())?.recv().await;
    heard.ok_or_else(shut_down)
}

/// Waits until the process is asked to end, by ctrl-c (`SIGINT`) or by `SIGTERM`,
/// from the first poll on. Which of the two it was.
///
/// When this has returned, both signals are the system's again, unless somebody listens:
/// a second ctrl-c, or a second `SIGTERM`, ends the process at once, in the middle of
/// what it finishes. One within 200 milliseconds counts as the same request, for
/// some programs pass on what their child has heard by itself. A service that does not
/// want this keeps a [`Signal`] of each kind.
///
/// # Errors
/// The system's, if a handler cannot be installed.
///
/// # Cancel safety
/// Yes. What comes between two calls is lost, though: keep [`Signal`]s for that.
///
/// ```
/// use gmp::signal::shutdown;
///
/// # gmp::block_on(async {
/// # let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
/// # unsafe extern "C" { safe fn raise(number: i32) -> i32; }
/// # // It does not end this process then; again and again, until it is heard.
/// # let _heard = gmp::signal::unix(gmp::signal::SignalKind::terminate())?;
/// # gmp::spawn(async {
/// #     loop {
/// #         raise(15);
/// #         gmp::time::sleep(std::time::Duration::from_millis(1)).await;
/// #     }
/// # });
/// let stop = async {
///     let asked_by = shutdown().await.expect("handlers");
///     println!("ends by {asked_by:?}: finishing requests");
/// };
/// # #[cfg(feature = "hyper")] {
/// # use hyper::{Request, Response, body::Incoming, service::service_fn};
/// # async fn hello(_: Request<Incoming>) -> Result<Response<String>, hyper::Error> {
/// #     Ok(Response::new(String::new()))
/// # }
/// gmp::hyper::serve(listener, service_fn(hello))
///     .with_graceful_shutdown(stop)
///     .await?;
/// # }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn shutdown() -> io::Result<SignalKind> {
    let [interrupt, terminate] = REQUESTS;
    let mut requests = [unix(interrupt)?, unix(terminate)?];
    let kind = poll_fn(|cx| {
        for request in &mut requests {
            if let Poll::Ready(heard) = request.poll_recv(cx) {
                return Poll::Ready(heard.map(|()| request.kind).ok_or_else(shut_down));
            }
        }
        Poll::Pending
    })
    .await?;
    again::heard()?;
    Ok(kind)
}

fn shut_down() -> io::Error {
    io::Error::other("the runtime has shut down")
}

/// A listener; see [`unix()`]. It is a [`Stream`] as well. Dropping it ends the
/// listening, but does not bring the system's own way back.
pub struct Signal {
    kind: SignalKind,
    id: SigId,
    notes: UnixStream,
    _listens: Listens,
    /// It takes the signal away from `#[gmp::main]`, which would end the process.
    _quit: Option<QuitListener>,
}

impl Signal {
    /// The next signal, or several as one; `None` when the runtime has shut
    /// down.
    ///
    /// # Cancel safety
    /// Yes: no signal is lost.
    pub async fn recv(&mut self) -> Option<()> {
        let mut notes = [0; 64];
        let n = self.notes.read(&mut notes).await.ok()?;
        (n > 0).then_some(())
    }

    /// As [`recv`](Self::recv), for hand-written futures.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let mut notes = [0; 64];
        let read = ready!(Pin::new(&mut self.notes).poll_read(cx, &mut notes));
        Poll::Ready(read.ok().filter(|&n| n > 0).map(drop))
    }
}

/// Ends when the runtime has shut down.
impl Stream for Signal {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_recv(cx)
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        signal_hook_registry::unregister(self.id);
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
