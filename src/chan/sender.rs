//! The end where values go in.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::FusedFuture;
use gmp_executor::leaf;

use super::ends::{self, Half};
use super::errors::{SendError, TrySendError};
use super::state::{Channel, Sent};
use crate::sync::waiters::{Key, wake};

/// The end of a channel where values go in. The drop of the last one closes the
/// channel.
///
/// ```
/// let (tx, rx) = gmp::chan::bounded(2);
/// let other = tx.clone();
/// tx.try_send(1).expect("room");
/// other.try_send(2).expect("room");
/// assert!(tx.try_send(3).expect_err("no room").is_full());
/// drop((tx, other));
/// assert!(rx.is_closed());
/// assert_eq!(rx.try_recv(), Ok(1));
/// ```
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Sender<T> {
        Sender { channel }
    }

    pub(super) fn channel(&self) -> &Arc<Channel<T>> {
        &self.channel
    }

    /// Sends `value`, and waits for room if there is none; at a rendezvous, for
    /// a receiver. Whoever waits longest goes first.
    ///
    /// # Errors
    /// With the value, if the channel is closed before it was taken.
    ///
    /// # Cancel safety
    /// Yes: if the future is dropped before its value was taken, the value is
    /// dropped with it and was never sent. A receiver takes the value of a waiting
    /// sender without asking it, so of several sends that wait in one `select!`
    /// more than one may have been sent; and one that waits beside a receive from
    /// the same channel may be received there.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, rx) = gmp::chan::bounded(1);
    /// tx.send("first").await.expect("open");
    /// rx.close();
    /// assert_eq!(tx.send("second").await.expect_err("closed").0, "second");
    /// assert_eq!(rx.recv().await, Ok("first"));
    /// # });
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Sending<'_, T> {
        Sending {
            sender: self,
            value: Some(value),
            key: None,
            location: Location::caller(),
        }
    }

    /// Sends `value` if that needs no waiting.
    ///
    /// # Errors
    /// With the value: [`TrySendError::Full`] if there is no room, at a
    /// rendezvous if no receiver waits; [`TrySendError::Closed`].
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        // The lock ends with this statement, before anybody is woken.
        let sent = self.channel.lock().send(value);
        match sent {
            Sent::Done(waker) => {
                wake(waker);
                Ok(())
            }
            Sent::Full(value) => Err(TrySendError::Full(value)),
            Sent::Closed(value) => Err(TrySendError::Closed(value)),
        }
    }

    /// Closes the channel: what is inside still comes out, and every send fails,
    /// those that wait too. Returns false if it was closed already.
    pub fn close(&self) -> bool {
        self.channel.close()
    }

    /// Whether the channel is closed.
    pub fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }

    /// Whether both send into the same channel.
    ///
    /// ```
    /// let (tx, _rx) = gmp::chan::bounded::<u32>(1);
    /// assert!(tx.same_channel(&tx.clone()));
    /// assert!(!tx.same_channel(&gmp::chan::unbounded().0));
    /// ```
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
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

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        *self.channel.lock().senders() += 1;
        Sender::new(self.channel.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.channel.lock();
        *state.senders() -= 1;
        if *state.senders() == 0 {
            let wakers = state.close();
            drop(state);
            wakers.wake();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// The future of [`Sender::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct Sending<'a, T> {
    sender: &'a Sender<T>,
    /// Until the first poll that reaches the channel.
    value: Option<T>,
    key: Option<Key>,
    location: &'static Location<'static>,
}

// The value is only moved, never polled.
impl<T> Unpin for Sending<'_, T> {}

impl<T> Future for Sending<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let mut state = this.sender.channel.lock();
        if let Some(key) = this.key.take() {
            if !state.sending.is_queued(&key) {
                let removed = state.sending.remove(key);
                drop(state);
                let left = removed.note.value;
                return Poll::Ready(left.map_or(Ok(()), |v| Err(SendError(v))));
            }
            let former = state.sending.set_waker(&key, cx.waker());
            this.key = Some(key);
            drop(state);
            drop(former);
            ends::park(&this.sender.channel, Half::Receivers, this.location, cx);
            return Poll::Pending;
        }
        let value = this.value.take().expect("a send is awaited once");
        match state.send(value) {
            Sent::Done(waker) => {
                drop(state);
                wake(waker);
                Poll::Ready(Ok(()))
            }
            Sent::Closed(value) => Poll::Ready(Err(SendError(value))),
            Sent::Full(value) => {
                this.key = Some(state.wait_to_send(cx.waker(), value));
                drop(state);
                ends::park(&this.sender.channel, Half::Receivers, this.location, cx);
                Poll::Pending
            }
        }
    }
}

impl<T> Sending<'_, T> {
    /// Whether the channel has been asked: the first poll may have had to give way.
    pub(super) fn is_offered(&self) -> bool {
        self.value.is_none()
    }

    /// Ends a wait: the value, and whether the channel might have taken it still.
    /// None: it was taken.
    pub(super) fn give_up(&mut self) -> Option<(T, bool)> {
        let key = self.key.take()?;
        // The lock ends with this statement, before a waker does.
        let removed = self.sender.channel.lock().sending.remove(key);
        leaf::unpark_at(self.location);
        Some((removed.note.value?, removed.queued))
    }
}

impl<T> FusedFuture for Sending<'_, T> {
    fn is_terminated(&self) -> bool {
        self.value.is_none() && self.key.is_none()
    }
}

impl<T> Drop for Sending<'_, T> {
    fn drop(&mut self) {
        drop(self.give_up());
    }
}

impl<T> fmt::Debug for Sending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending")
            .field("waits", &self.key.is_some())
            .field("ended", &self.is_terminated())
            .finish()
    }
}
