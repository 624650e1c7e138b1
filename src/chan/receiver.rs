//! The end where values come out.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures::future::FusedFuture;
use futures::stream::{FusedStream, Stream};
use gmp_executor::leaf;

use super::ends::{self, Half};
use super::errors::{RecvError, TryRecvError};
use super::state::{Channel, Found, State};
use crate::sync::waiters::{Key, wake};

/// The end of a channel where values come out; each value goes to one receiver.
/// The drop of the last one closes the channel and drops what is inside.
///
/// It is a fused `Stream` that ends when the channel is closed and empty. As a
/// stream it keeps its place in the queue between polls: where several receivers
/// share a channel, one that was polled as a stream and is then left alone may
/// sit on a value until it is polled, received from, or dropped. A dropped
/// [`Receiver::recv`] never does.
///
/// ```
/// # gmp::block_on(async {
/// let (tx, rx) = gmp::chan::bounded(4);
/// let workers: Vec<_> = (0..3)
///     .map(|_| {
///         let rx = rx.clone();
///         gmp::spawn(async move {
///             let mut sum = 0;
///             while let Ok(n) = rx.recv().await {
///                 sum += n;
///             }
///             sum
///         })
///     })
///     .collect();
/// for n in 1..=100 {
///     tx.send(n).await.expect("workers live");
/// }
/// drop(tx);
/// let mut sum = 0;
/// for worker in workers {
///     sum += worker.await.expect("no panic");
/// }
/// assert_eq!(sum, 5050);
/// # });
/// ```
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// The place in the queue of this receiver as a stream.
    stream: Option<Key>,
    ended: bool,
    /// Where the channel was made: a poll of a stream knows no caller.
    made: &'static Location<'static>,
}

impl<T> Receiver<T> {
    pub(super) fn new(channel: Arc<Channel<T>>, made: &'static Location<'static>) -> Receiver<T> {
        Receiver {
            channel,
            stream: None,
            ended: false,
            made,
        }
    }

    pub(super) fn channel(&self) -> &Arc<Channel<T>> {
        &self.channel
    }

    /// Receives a value, and waits for one if there is none. Whoever waits
    /// longest goes first.
    ///
    /// # Errors
    /// If the channel is closed and nothing is left inside.
    ///
    /// # Cancel safety
    /// Yes: a value that was handed to a future which is then dropped goes to the
    /// next receiver that waits, else back inside, before everything sent later.
    #[track_caller]
    pub fn recv(&self) -> Receiving<'_, T> {
        self.recv_at(Location::caller())
    }

    pub(super) fn recv_at(&self, location: &'static Location<'static>) -> Receiving<'_, T> {
        Receiving {
            receiver: self,
            key: None,
            ended: false,
            location,
        }
    }

    /// Receives a value if that needs no waiting.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if nothing is inside and no sender waits;
    /// [`TryRecvError::Closed`] if nothing will come any more.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.channel.lock();
        let (found, former) = self.receive(&mut state);
        state.ends.used(Half::Receivers);
        drop(state);
        drop(former);
        match found {
            Found::Value(value, waker) => {
                wake(waker);
                Ok(value)
            }
            Found::Empty => Err(TryRecvError::Empty),
            Found::Closed => Err(TryRecvError::Closed),
        }
    }

    /// Receives without waiting. What was handed to this receiver as a stream
    /// comes first, and its place in the queue is given up: nobody polls it.
    fn receive(&self, state: &mut State<T>) -> (Found<T>, Option<Waker>) {
        let Some(key) = &self.stream else {
            return (state.receive(), None);
        };
        let former = state.receiving.leave(key);
        match state.receiving.note(key).take() {
            Some((_, value)) => (Found::Value(value, None), former),
            None => (state.receive(), former),
        }
    }

    /// Closes the channel: what is inside still comes out, and every send fails,
    /// those that wait too. Returns false if it was closed already.
    pub fn close(&self) -> bool {
        self.channel.close()
    }

    /// Whether the channel is closed; values may still be inside.
    pub fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }

    /// How many values are inside: sent, and not handed to a receiver.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether no value is inside.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values fit inside; none for [`unbounded`](super::unbounded).
    pub fn capacity(&self) -> Option<usize> {
        self.channel.capacity
    }

    /// How many more there is room for.
    pub(crate) fn room_left(&self) -> Option<usize> {
        self.channel.lock().room_left()
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let found = ready!(poll_receive(
            &this.channel,
            &mut this.stream,
            None,
            this.made,
            cx
        ));
        this.ended = found.is_none();
        Poll::Ready(found)
    }
}

impl<T> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        *self.channel.lock().receivers() += 1;
        Receiver::new(self.channel.clone(), self.made)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.channel.lock();
        let abandoned = self.stream.take().map(|key| state.abandon(key));
        *state.receivers() -= 1;
        let last = (*state.receivers() == 0).then(|| (state.close(), state.empty()));
        drop(state);
        if let Some((waker, _removed)) = abandoned {
            leaf::unpark_at(self.made);
            wake(waker);
        }
        if let Some((wakers, _remains)) = last {
            wakers.wake();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Receiving<'a, T> {
    receiver: &'a Receiver<T>,
    key: Option<Key>,
    ended: bool,
    location: &'static Location<'static>,
}

impl<T> Future for Receiving<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let found = ready!(poll_receive(
            &this.receiver.channel,
            &mut this.key,
            Some(this.receiver),
            this.location,
            cx,
        ));
        this.ended = true;
        Poll::Ready(found.ok_or(RecvError))
    }
}

/// One step of a receiver: none once the channel is closed and empty. `owner` is
/// the receiver whose place as a stream is to be given up, unless this is it.
fn poll_receive<T>(
    channel: &Channel<T>,
    place: &mut Option<Key>,
    owner: Option<&Receiver<T>>,
    location: &'static Location<'static>,
    cx: &Context<'_>,
) -> Poll<Option<T>> {
    let mut state = channel.lock();
    if let Some(key) = place.take() {
        if state.receiving.is_queued(&key) {
            let former = state.receiving.set_waker(&key, cx.waker());
            *place = Some(key);
            drop(state);
            drop(former);
            ends::park(channel, Half::Senders, location, cx);
            return Poll::Pending;
        }
        let mut removed = state.receiving.remove(key);
        if let Some((_, value)) = removed.note.take() {
            return Poll::Ready(Some(value));
        }
        // Taken out without a value: closed, or given up. It looks again.
    }
    let (found, former) = match owner {
        Some(owner) => owner.receive(&mut state),
        None => (state.receive(), None),
    };
    if let Found::Empty = found {
        *place = Some(state.receiving.push(Some(cx.waker()), None));
    }
    drop(state);
    drop(former);
    match found {
        Found::Value(value, waker) => {
            wake(waker);
            Poll::Ready(Some(value))
        }
        Found::Closed => Poll::Ready(None),
        Found::Empty => {
            ends::park(channel, Half::Senders, location, cx);
            Poll::Pending
        }
    }
}

impl<T> FusedFuture for Receiving<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> Drop for Receiving<'_, T> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut state = self.receiver.channel.lock();
        let (waker, removed) = state.abandon(key);
        drop(state);
        leaf::unpark_at(self.location);
        drop(removed);
        wake(waker);
    }
}

impl<T> fmt::Debug for Receiving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving")
            .field("waits", &self.key.is_some())
            .field("ended", &self.ended)
            .finish()
    }
}
