//! The end of a bounded channel where values go in.

use std::future::poll_fn;
use std::panic::Location;
use std::time::Duration;

use gmp_executor::leaf;

use super::error::{SendError, SendTimeoutError, TrySendError};
use super::permit::{OwnedPermit, Permit, PermitIterator};
use crate::time::timeout;
use crate::{block_on, chan};

/// The end of a channel where values go in. The drop of the last one closes the channel.
pub struct Sender<T>(pub(super) chan::Sender<T>);

/// A sender that does not keep the channel open; made by [`Sender::downgrade`].
pub struct WeakSender<T>(pub(super) chan::WeakSender<T>);

impl<T> Sender<T> {
    pub(super) fn new(sender: chan::Sender<T>) -> Sender<T> {
        Sender(sender)
    }

    /// Sends `value`, and waits for room if there is none. Whoever waits longest goes
    /// first.
    ///
    /// # Errors
    /// With the value, if the channel is closed.
    ///
    /// # Cancel safety
    /// Yes: unless this returns, the value was not sent, in a `select!` too. It waits
    /// for room and then sends; [`chan::Sender::send`] offers its value to receivers
    /// while it waits.
    #[track_caller]
    pub fn send(&self, value: T) -> impl Future<Output = Result<(), SendError<T>>> {
        let location = Location::caller();
        async move {
            poll_fn(leaf::poll_check).await;
            let value = match self.0.try_send(value) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(value)) => return Err(SendError(value)),
                Err(TrySendError::Full(value)) => value,
            };
            match self.0.reserve_at(location).await {
                Ok(permit) => permit.send(value),
                Err(_) => Err(SendError(value)),
            }
        }
    }

    /// Sends `value`, and waits for room up to `time` long.
    ///
    /// # Errors
    /// With the value: [`SendTimeoutError::Timeout`], [`SendTimeoutError::Closed`].
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    #[track_caller]
    pub fn send_timeout(
        &self,
        value: T,
        time: Duration,
    ) -> impl Future<Output = Result<(), SendTimeoutError<T>>> {
        let room = timeout(time, self.0.reserve());
        async move {
            match room.await {
                Ok(Ok(permit)) => {
                    let sent = permit.send(value);
                    sent.map_err(|error| SendTimeoutError::Closed(error.0))
                }
                Ok(Err(_)) => Err(SendTimeoutError::Closed(value)),
                Err(_) => Err(SendTimeoutError::Timeout(value)),
            }
        }
    }

    /// Sends `value` if there is room.
    ///
    /// # Errors
    /// With the value: [`TrySendError::Full`], [`TrySendError::Closed`].
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(value)
    }

    /// Sends as [`send`](Self::send), and blocks the thread meanwhile; works in tasks.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        block_on(self.send(value))
    }

    /// Waits for room and keeps it for a value that need not exist yet.
    ///
    /// # Errors
    /// If the channel is closed.
    ///
    /// # Cancel safety
    /// Yes; the turn is lost.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, mut rx) = gmp::sync::mpsc::channel(1);
    /// let permit = tx.reserve().await.expect("open");
    /// rx.close();
    /// permit.send("kept");
    /// assert_eq!((rx.recv().await, rx.recv().await), (Some("kept"), None));
    /// # });
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> impl Future<Output = Result<Permit<'_, T>, SendError<()>>> {
        let room = self.0.reserve();
        async move { room.await.map(Permit) }
    }

    /// Waits for room for `n` values at once.
    ///
    /// # Errors
    /// If the channel is closed, or there never is so much.
    ///
    /// # Cancel safety
    /// Yes; the turn is lost.
    #[track_caller]
    pub fn reserve_many(
        &self,
        n: usize,
    ) -> impl Future<Output = Result<PermitIterator<'_, T>, SendError<()>>> {
        let room = self.0.reserve_many(n);
        async move { room.await.map(PermitIterator) }
    }

    /// As [`reserve`](Self::reserve), with a permit that has the sender.
    ///
    /// # Errors
    /// If the channel is closed.
    ///
    /// # Cancel safety
    /// Yes; the turn is lost, and the sender dropped.
    #[track_caller]
    pub fn reserve_owned(
        self,
    ) -> impl Future<Output = Result<OwnedPermit<T>, SendError<()>>> + use<T> {
        let room = self.0.reserve_owned();
        async move { room.await.map(OwnedPermit) }
    }

    /// Keeps room for a value, if there is some.
    ///
    /// # Errors
    /// [`TrySendError::Full`], [`TrySendError::Closed`].
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.0.try_reserve().map(Permit)
    }

    /// Keeps room for `n` values, if there is so much.
    ///
    /// # Errors
    /// [`TrySendError::Full`], [`TrySendError::Closed`].
    pub fn try_reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.0.try_reserve_many(n).map(PermitIterator)
    }

    /// Keeps room for a value, if there is some, with a permit that has the sender.
    ///
    /// # Errors
    /// With the sender: [`TrySendError::Full`], [`TrySendError::Closed`].
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Sender<T>>> {
        match self.0.try_reserve_owned() {
            Ok(permit) => Ok(OwnedPermit(permit)),
            Err(TrySendError::Full(sender)) => Err(TrySendError::Full(Sender(sender))),
            Err(TrySendError::Closed(sender)) => Err(TrySendError::Closed(Sender(sender))),
        }
    }

    /// How many more values there is room for.
    ///
    /// ```
    /// let (tx, _rx) = gmp::sync::mpsc::channel(3);
    /// tx.try_send(1).expect("room");
    /// let permit = tx.try_reserve().expect("room");
    /// assert_eq!((tx.capacity(), tx.max_capacity()), (1, 3));
    /// # drop(permit);
    /// ```
    pub fn capacity(&self) -> usize {
        self.0.room_left().unwrap_or(usize::MAX)
    }

    /// How many values there is room for at first.
    pub fn max_capacity(&self) -> usize {
        self.0.capacity().unwrap_or(usize::MAX)
    }

    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.downgrade())
    }
}

impl<T> WeakSender<T> {
    /// A sender, if there is another one.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.0.upgrade().map(Sender)
    }
}

/// What senders of both kinds have.
macro_rules! senders {
    ($sender:ident, $weak:ident) => {
        impl<T> $sender<T> {
            /// Waits until the channel is closed.
            ///
            /// # Cancel safety
            /// Yes: it takes nothing.
            #[track_caller]
            pub fn closed(&self) -> impl Future<Output = ()> {
                self.0.closed()
            }

            /// Whether the channel is closed.
            pub fn is_closed(&self) -> bool {
                self.0.is_closed()
            }

            /// Whether both send into the same channel.
            pub fn same_channel(&self, other: &Self) -> bool {
                self.0.same_channel(&other.0)
            }

            /// How many senders there are, with this one.
            pub fn strong_count(&self) -> usize {
                self.0.strong_count()
            }

            /// How many senders there are that do not keep the channel open.
            pub fn weak_count(&self) -> usize {
                self.0.weak_count()
            }
        }

        impl<T> $weak<T> {
            /// How many senders there are that keep the channel open.
            pub fn strong_count(&self) -> usize {
                self.0.strong_count()
            }

            /// How many there are of its kind, with this one; none once both ends are
            /// gone.
            pub fn weak_count(&self) -> usize {
                self.0.weak_count()
            }
        }

        // Not derived: values need not be clones.
        impl<T> Clone for $sender<T> {
            fn clone(&self) -> Self {
                $sender(self.0.clone())
            }
        }

        impl<T> Clone for $weak<T> {
            fn clone(&self) -> Self {
                $weak(self.0.clone())
            }
        }
    };
}

pub(super) use senders;

senders!(Sender, WeakSender);
