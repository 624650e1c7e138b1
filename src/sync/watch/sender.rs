//! The end that changes the value.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::{Arc, PoisonError};

use gmp_executor::WaitReason;

use super::error::SendError;
use super::receiver::Receiver;
use super::{Ref, Shared, State};
use crate::sync::wait::Wait;
use crate::sync::waiters::{Wakers, lock};

/// Changes the value. When the last sender is gone, its followers find that out.
pub struct Sender<T> {
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// A value that nobody follows yet.
    pub fn new(value: T) -> Sender<T> {
        Sender {
            shared: Shared::new(value),
        }
    }

    /// Sets the value and wakes all who follow it. It waits for no task; it waits
    /// with its thread while a [`Ref`] is alive.
    ///
    /// # Errors
    /// With the value, if nobody follows; then nothing has changed.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Sets the value, though nobody follows it, and returns the former one.
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|current| std::mem::swap(current, &mut value));
        value
    }

    /// Changes the value in place, though nobody follows it, and wakes all who do.
    /// A panic of `modify` goes on, and wakes nobody.
    ///
    /// ```
    /// let (names, follower) = gmp::sync::watch::channel(Vec::new());
    /// names.send_modify(|names| names.push("new"));
    /// assert!(follower.has_changed().expect("a sender lives"));
    /// assert_eq!(*follower.borrow(), ["new"]);
    /// ```
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// As [`Sender::send_modify`]; those who follow hear of it only if `modify`
    /// returns true. Returns that.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let shared = &self.shared;
        let mut value = shared.value.write().unwrap_or_else(PoisonError::into_inner);
        if !modify(&mut value) {
            return false;
        }
        let mut state = lock(&shared.state);
        state.version += 1;
        let wakers = state.following.pop_all();
        drop(state);
        drop(value);
        wakers.wake();
        true
    }

    /// The value. See [`Ref`] for what it holds up.
    pub fn borrow(&self) -> Ref<'_, T> {
        let (value, _) = self.shared.read();
        Ref {
            value,
            changed: false,
        }
    }

    /// A new follower; the present value counts as seen.
    pub fn subscribe(&self) -> Receiver<T> {
        let mut state = lock(&self.shared.state);
        state.receivers += 1;
        Receiver::new(self.shared.clone(), state.version)
    }

    /// How many follow.
    pub fn receiver_count(&self) -> usize {
        lock(&self.shared.state).receivers
    }

    /// How many senders there are, with this one.
    pub fn sender_count(&self) -> usize {
        lock(&self.shared.state).senders
    }

    /// Whether both change the same value.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether nobody follows.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until nobody follows.
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = ()> {
        Wait {
            state: &self.shared.state,
            queue: |state| &mut state.leaving,
            look: |state: &mut State, _| (state.receivers == 0).then(|| ((), Wakers::default())),
            reason: WaitReason::ChanSend,
            location: Location::caller(),
            place: None,
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        lock(&self.shared.state).senders += 1;
        Sender {
            shared: self.shared.clone(),
        }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Sender<T> {
        Sender::new(T::default())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.senders -= 1;
        let wakers = match state.senders {
            0 => state.following.pop_all(),
            _ => Wakers::default(),
        };
        drop(state);
        wakers.wake();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}
