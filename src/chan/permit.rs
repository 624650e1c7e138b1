//! Room that is kept for a value to come.

use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::FusedFuture;
use gmp_executor::{WaitReason, leaf};

use super::errors::{SendError, TrySendError};
use super::sender::Sender;
use super::state::Sent;
use crate::sync::waiters::{Key, Wakers, wake};

impl<T> Sender<T> {
    /// Waits for room and keeps it for a value that need not exist yet. Whoever
    /// waits longest goes first, sends included.
    ///
    /// A rendezvous has no room, so its values meet a receiver; it has one permit
    /// at a time, and that one's value waits inside for a receiver.
    ///
    /// # Errors
    /// If the channel is closed before there was room.
    ///
    /// # Cancel safety
    /// Yes: room that was given to a future which is then dropped goes to the next
    /// one. It loses its turn.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, rx) = gmp::chan::bounded(1);
    /// let permit = tx.reserve().await.expect("open");
    /// assert!(tx.try_send("too late").is_err());
    /// // Only now, when it will be sent, is it made.
    /// permit.send("dear").expect("open");
    /// assert_eq!(rx.recv().await, Ok("dear"));
    /// # });
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Reserving<'_, T> {
        Reserving {
            sender: self,
            key: None,
            ended: false,
            location: Location::caller(),
        }
    }

    /// Keeps room for a value, if there is some.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if there is none, [`TrySendError::Closed`].
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        match self.channel().lock().reserve() {
            Sent::Done(_) => Ok(Permit { sender: self }),
            Sent::Full(()) => Err(TrySendError::Full(())),
            Sent::Closed(()) => Err(TrySendError::Closed(())),
        }
    }
}

/// Room for one value: see [`Sender::reserve`]. Dropping it gives the room back.
#[must_use = "room that nobody uses is missing to others"]
pub struct Permit<'a, T> {
    sender: &'a Sender<T>,
}

impl<T> Permit<'_, T> {
    /// Sends `value`, without waiting.
    ///
    /// # Errors
    /// With the value, if the channel was closed meanwhile.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        // The lock ends with this statement, before anybody is woken.
        let (sent, next) = self.sender.channel().lock().send_reserved(value);
        let _used = ManuallyDrop::new(self);
        let mut wakers = Wakers::default();
        wakers.add(next);
        let sent = match sent {
            Sent::Done(receiver) => {
                wakers.add(receiver);
                Ok(())
            }
            Sent::Full(value) | Sent::Closed(value) => Err(SendError(value)),
        };
        wakers.wake();
        sent
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        let next = self.sender.channel().lock().give_up_room();
        wake(next);
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("sender", &self.sender)
            .finish()
    }
}

/// The future of [`Sender::reserve`].
#[must_use = "futures do nothing unless awaited"]
pub struct Reserving<'a, T> {
    sender: &'a Sender<T>,
    key: Option<Key>,
    ended: bool,
    location: &'static Location<'static>,
}

impl<'a, T> Future for Reserving<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let mut state = this.sender.channel().lock();
        let reserved = match this.key.take() {
            Some(key) if state.reserving.is_queued(&key) => {
                let former = state.reserving.set_waker(&key, cx.waker());
                this.key = Some(key);
                drop(state);
                drop(former);
                leaf::park(WaitReason::ChanSend, this.location);
                return Poll::Pending;
            }
            Some(key) => {
                let removed = state.reserving.remove(key);
                drop(state);
                removed.note.granted
            }
            None => match state.reserve() {
                Sent::Done(_) => true,
                Sent::Closed(()) => false,
                Sent::Full(()) => {
                    this.key = Some(state.wait_for_room(cx.waker()));
                    drop(state);
                    leaf::park(WaitReason::ChanSend, this.location);
                    return Poll::Pending;
                }
            },
        };
        this.ended = true;
        let permit = || Permit {
            sender: this.sender,
        };
        Poll::Ready(reserved.then(permit).ok_or(SendError(())))
    }
}

impl<T> FusedFuture for Reserving<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> Drop for Reserving<'_, T> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let mut state = self.sender.channel().lock();
        let removed = state.reserving.remove(key);
        let next = match removed.note.granted {
            true => state.give_up_room(),
            false => None,
        };
        drop(state);
        wake(next);
    }
}

impl<T> fmt::Debug for Reserving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserving")
            .field("waits", &self.key.is_some())
            .field("ended", &self.ended)
            .finish()
    }
}
