//! Waiting for room that is kept for values to come.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::FusedFuture;
use gmp_executor::leaf;

use super::ends::{self, Half};
use super::errors::{SendError, TrySendError};
use super::permit::{OwnedPermit, Permit, PermitIterator};
use super::sender::Sender;
use super::state::{Channel, Sent};
use crate::sync::waiters::Key;

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
        self.reserve_at(Location::caller())
    }

    pub(crate) fn reserve_at(&self, location: &'static Location<'static>) -> Reserving<'_, T> {
        Reserving {
            sender: self,
            place: Place::new(1, location),
        }
    }

    /// Waits for room for `permits` values, and keeps all of it at once. Nobody
    /// who comes later overtakes it, with however small a wish.
    ///
    /// # Errors
    /// If the channel is closed before there was room, or if there never is so much.
    ///
    /// # Cancel safety
    /// As [`Sender::reserve`].
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, rx) = gmp::chan::bounded(8);
    /// for (permit, n) in tx.reserve_many(3).await.expect("open").zip(0..) {
    ///     permit.send(n).expect("open");
    /// }
    /// assert_eq!((rx.len(), rx.try_recv()), (3, Ok(0)));
    /// assert!(tx.reserve_many(9).await.is_err());
    /// # });
    /// ```
    #[track_caller]
    pub fn reserve_many(&self, permits: usize) -> ReservingMany<'_, T> {
        ReservingMany {
            sender: self,
            place: Place::new(permits, Location::caller()),
        }
    }

    /// Waits for room as [`Sender::reserve`], for a permit that borrows nothing: it
    /// has the sender, and gives it back.
    ///
    /// # Errors
    /// If the channel is closed before there was room.
    ///
    /// # Cancel safety
    /// As [`Sender::reserve`]; the sender is dropped with the future.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, rx) = gmp::chan::bounded(1);
    /// let permit = tx.reserve_owned().await.expect("open");
    /// let sent = gmp::spawn(async move { permit.send("moved") });
    /// let tx = sent.await.expect("no panic").expect("open");
    /// assert_eq!(rx.recv().await, Ok("moved"));
    /// drop(tx);
    /// assert!(rx.is_closed());
    /// # });
    /// ```
    #[track_caller]
    pub fn reserve_owned(self) -> ReservingOwned<T> {
        ReservingOwned {
            sender: Some(self),
            place: Place::new(1, Location::caller()),
        }
    }

    /// Keeps room for a value, if there is some.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if there is none, [`TrySendError::Closed`].
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.try_keep(1).map(|()| Permit::new(self))
    }

    /// Keeps room for `permits` values, if there is so much.
    ///
    /// # Errors
    /// [`TrySendError::Full`] if there is not, or never; [`TrySendError::Closed`].
    pub fn try_reserve_many(
        &self,
        permits: usize,
    ) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.try_keep(permits)
            .map(|()| PermitIterator::new(self, permits))
    }

    /// Keeps room for a value, if there is some, with a permit that has the sender.
    ///
    /// # Errors
    /// With the sender: [`TrySendError::Full`] if there is none,
    /// [`TrySendError::Closed`].
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Sender<T>>> {
        match self.try_keep(1) {
            Ok(()) => Ok(OwnedPermit::new(self)),
            Err(TrySendError::Full(())) => Err(TrySendError::Full(self)),
            Err(TrySendError::Closed(())) => Err(TrySendError::Closed(self)),
        }
    }

    fn try_keep(&self, permits: usize) -> Result<(), TrySendError<()>> {
        match self.channel().lock().reserve(permits) {
            Sent::Done(_) => Ok(()),
            Sent::Full(()) => Err(TrySendError::Full(())),
            Sent::Closed(()) => Err(TrySendError::Closed(())),
        }
    }
}

/// What the futures here have in common: a place in the queue.
#[derive(Debug)]
struct Place {
    permits: usize,
    key: Option<Key>,
    ended: bool,
    location: &'static Location<'static>,
}

impl Place {
    fn new(permits: usize, location: &'static Location<'static>) -> Place {
        Place {
            permits,
            key: None,
            ended: false,
            location,
        }
    }

    /// One step: whether the room is kept now, or never will be.
    fn poll<T>(
        &mut self,
        channel: &Channel<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<()>>> {
        ready!(leaf::poll_check(cx));
        let mut state = channel.lock();
        let mut former = None;
        let kept = match self.key.take() {
            Some(key) if state.reserving.is_queued(&key) => {
                former = state.reserving.set_waker(&key, cx.waker());
                self.key = Some(key);
                None
            }
            Some(key) => Some(state.reserving.remove(key).note.granted),
            None => match state.reserve(self.permits) {
                Sent::Done(_) => Some(true),
                Sent::Closed(()) => Some(false),
                Sent::Full(()) if self.permits > state.most_permits() => Some(false),
                Sent::Full(()) => {
                    self.key = Some(state.wait_for_room(cx.waker(), self.permits));
                    None
                }
            },
        };
        drop(state);
        drop(former);
        let Some(kept) = kept else {
            ends::park(channel, Half::Receivers, self.location, cx);
            return Poll::Pending;
        };
        self.ended = true;
        Poll::Ready(kept.then_some(()).ok_or(SendError(())))
    }

    /// Leaves the queue, and gives back what was kept.
    fn leave<T>(&mut self, channel: &Channel<T>) {
        let Some(key) = self.key.take() else { return };
        let mut state = channel.lock();
        let (wakers, removed) = state.stop_waiting_for_room(key);
        drop(state);
        leaf::unpark_at(self.location);
        drop(removed);
        wakers.wake();
    }
}

/// The future of [`Sender::reserve`].
#[must_use = "futures do nothing unless awaited"]
pub struct Reserving<'a, T> {
    sender: &'a Sender<T>,
    place: Place,
}

impl<'a, T> Future for Reserving<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let kept = ready!(this.place.poll(this.sender.channel(), cx));
        Poll::Ready(kept.map(|()| Permit::new(this.sender)))
    }
}

impl<T> Drop for Reserving<'_, T> {
    fn drop(&mut self) {
        self.place.leave(self.sender.channel());
    }
}

/// The future of [`Sender::reserve_many`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReservingMany<'a, T> {
    sender: &'a Sender<T>,
    place: Place,
}

impl<'a, T> Future for ReservingMany<'a, T> {
    type Output = Result<PermitIterator<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let kept = ready!(this.place.poll(this.sender.channel(), cx));
        Poll::Ready(kept.map(|()| PermitIterator::new(this.sender, this.place.permits)))
    }
}

impl<T> Drop for ReservingMany<'_, T> {
    fn drop(&mut self) {
        self.place.leave(self.sender.channel());
    }
}

/// The future of [`Sender::reserve_owned`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReservingOwned<T> {
    /// None once the permit has it.
    sender: Option<Sender<T>>,
    place: Place,
}

impl<T> Future for ReservingOwned<T> {
    type Output = Result<OwnedPermit<T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let sender = this.sender.as_ref().expect("a reserve is awaited once");
        let kept = ready!(this.place.poll(sender.channel(), cx));
        let sender = this.sender.take().expect("it was there above");
        Poll::Ready(kept.map(|()| OwnedPermit::new(sender)))
    }
}

impl<T> Drop for ReservingOwned<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            self.place.leave(sender.channel());
        }
    }
}

impl<T> FusedFuture for Reserving<'_, T> {
    fn is_terminated(&self) -> bool {
        self.place.ended
    }
}

impl<T> FusedFuture for ReservingMany<'_, T> {
    fn is_terminated(&self) -> bool {
        self.place.ended
    }
}

impl<T> FusedFuture for ReservingOwned<T> {
    fn is_terminated(&self) -> bool {
        self.place.ended
    }
}

impl<T> fmt::Debug for Reserving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt_as("Reserving", f)
    }
}

impl<T> fmt::Debug for ReservingMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt_as("ReservingMany", f)
    }
}

impl<T> fmt::Debug for ReservingOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt_as("ReservingOwned", f)
    }
}

impl Place {
    fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("permits", &self.permits)
            .field("waits", &self.key.is_some())
            .field("ended", &self.ended)
            .finish()
    }
}
