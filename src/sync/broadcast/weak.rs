//! Senders that do not keep a channel open, and how many there are of each kind.

use std::fmt;
use std::sync::{Arc, Weak};

use super::Shared;
use super::receiver::Receiver;
use super::sender::Sender;
use crate::sync::waiters::lock;

/// A sender that does not keep the channel open; made by [`Sender::downgrade`].
///
/// ```
/// use gmp::sync::broadcast::{self, TryRecvError};
///
/// let (tx, mut rx) = broadcast::channel(4);
/// let weak = tx.downgrade();
/// assert_eq!((tx.strong_count(), tx.weak_count()), (1, 1));
/// assert_eq!(weak.upgrade().expect("tx lives").send(1), Ok(1));
/// drop(tx);
/// assert!(weak.upgrade().is_none());
/// assert_eq!(rx.try_recv(), Ok(1));
/// assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
/// ```
pub struct WeakSender<T> {
    shared: Weak<Shared<T>>,
}

impl<T> Sender<T> {
    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            shared: Arc::downgrade(&self.shared),
        }
    }

    /// How many senders there are, with this one.
    pub fn strong_count(&self) -> usize {
        lock(&self.shared).senders
    }

    /// How many senders there are that do not keep the channel open.
    pub fn weak_count(&self) -> usize {
        Arc::weak_count(&self.shared)
    }
}

impl<T> Receiver<T> {
    /// How many senders there are.
    pub fn sender_strong_count(&self) -> usize {
        lock(&self.shared).senders
    }

    /// How many senders there are that do not keep the channel open.
    pub fn sender_weak_count(&self) -> usize {
        Arc::weak_count(&self.shared)
    }
}

impl<T> WeakSender<T> {
    /// A sender, if there is another one.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let shared = self.shared.upgrade()?;
        {
            let mut state = lock(&shared);
            // The last one closed the channel for good.
            if state.senders == 0 {
                return None;
            }
            state.senders += 1;
        }
        Some(Sender { shared })
    }

    /// How many senders there are that keep the channel open.
    pub fn strong_count(&self) -> usize {
        let shared = self.shared.upgrade();
        shared.map_or(0, |shared| lock(&shared).senders)
    }

    /// How many there are of its kind, with this one; none once both ends are gone.
    pub fn weak_count(&self) -> usize {
        self.shared.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender {
            shared: self.shared.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
