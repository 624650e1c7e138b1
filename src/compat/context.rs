//! The wrapper: Tokio's context around each poll and around the drop.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, Stream};
use gmp_executor::leaf;
use pin_project::{pin_project, pinned_drop};
use tokio::runtime::Handle;

use super::{Io, handle};

/// Gives everything the method [`compat`](CompatExt::compat).
pub trait CompatExt: Sized {
    /// Wraps a future, a stream or sink, or an I/O type of a library that needs
    /// Tokio, see [`Compat`].
    ///
    /// # Panics
    /// If Tokio's runtime cannot start: see [`install`](super::install).
    #[track_caller]
    fn compat(self) -> Compat<Self> {
        Compat::new(self)
    }
}

impl<T> CompatExt for T {}

/// Makes a Tokio runtime present around each poll of what it wraps, and around its
/// drop, which in Tokio's types and in their users' may need it as well. From
/// [`.compat()`](CompatExt::compat).
///
/// A future stays a future, a stream a stream, a sink a sink. The I/O traits of
/// Tokio become those of `futures::io`, and the other way round.
///
/// A call that looks for a runtime before any poll, such as a constructor of a
/// timer, has to be made inside: in an `async` block that is wrapped, or next to
/// `compat::handle().enter()`. Wrap the block, not each call in it, and the
/// question does not come up.
///
/// # Panics
/// A panic of what it wraps goes on to its task, as without the wrapper.
///
/// # Cancel safety
/// That of what it wraps. To drop it in the middle, by an abort or a time-out, is
/// always sound. What it has given to `tokio::spawn` goes on.
///
/// ```
/// use futures::io::{AsyncReadExt, AsyncWriteExt};
/// use gmp::compat::CompatExt;
///
/// # gmp::block_on(async {
/// let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
/// let addr = listener.local_addr()?;
/// let peer = tokio::net::TcpStream::connect(addr).compat().await?;
/// let (mut stream, _) = listener.accept().await?;
///
/// let mut peer = peer.compat(); // Now of `futures::io`.
/// peer.write_all(b"hello").await?;
/// peer.close().await?;
/// let mut text = String::new();
/// stream.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "futures do nothing unless awaited"]
pub struct Compat<T> {
    /// None only within the drop. Its traits' conversions are those of [`Io`].
    #[pin]
    inner: Option<Io<T>>,
    tokio: &'static Handle,
}

impl<T> Compat<T> {
    /// As [`.compat()`](CompatExt::compat).
    ///
    /// # Panics
    /// If Tokio's runtime cannot start: see [`install`](super::install). From then
    /// on nothing about the wrapper fails.
    #[track_caller]
    pub fn new(inner: T) -> Compat<T> {
        Compat {
            inner: Some(Io::new(inner)),
            tokio: handle(),
        }
    }

    /// What is wrapped.
    pub fn get_ref(&self) -> &T {
        let inner = self.inner.as_ref();
        inner.expect("it is there until the drop").get_ref()
    }

    /// What is wrapped. Its methods run without the context.
    pub fn get_mut(&mut self) -> &mut T {
        let inner = self.inner.as_mut();
        inner.expect("it is there until the drop").get_mut()
    }

    /// What was wrapped.
    pub fn into_inner(mut self) -> T {
        let inner = self.inner.take();
        inner.expect("it is there until the drop").into_inner()
    }

    /// Runs one poll in the context, unless the task was asked to give way.
    pub(super) fn poll_inside<'a, R>(
        self: Pin<&'a mut Self>,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&'a mut Io<T>>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        ready!(leaf::poll_check(cx));
        self.inside(|inner| poll(inner, cx))
    }

    /// Makes a call in the context.
    pub(super) fn inside<'a, R>(
        self: Pin<&'a mut Self>,
        call: impl FnOnce(Pin<&'a mut Io<T>>) -> R,
    ) -> R {
        let this = self.project();
        let inner = this.inner.as_pin_mut();
        let inner = inner.expect("it is there until the drop");
        let _context = this.tokio.enter();
        call(inner)
    }
}

#[pinned_drop]
impl<T> PinnedDrop for Compat<T> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_none() {
            return;
        }
        // A thread that ends may have dropped Tokio's thread-local already. Then
        // there is no context to enter, and trying would panic.
        let gone = Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed());
        let _context = (!gone).then(|| this.tokio.enter());
        this.inner.set(None);
    }
}

impl<T: fmt::Debug> fmt::Debug for Compat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compat").field(self.get_ref()).finish()
    }
}

impl<F: Future> Future for Compat<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll(cx))
    }
}

impl<S: Stream> Stream for Compat<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_next(cx))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.get_ref().size_hint()
    }
}

impl<S: Sink<Item>, Item> Sink<Item> for Compat<S> {
    type Error = S::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_ready(cx))
    }

    fn start_send(self: Pin<&mut Self>, item: Item) -> Result<(), S::Error> {
        self.inside(|inner| inner.pinned().start_send(item))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.poll_inside(cx, |inner, cx| inner.pinned().poll_close(cx))
    }
}
