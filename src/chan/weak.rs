//! Senders that do not keep a channel open, and how many there are of each kind.

use std::fmt;
use std::sync::{Arc, Weak};

use super::receiver::Receiver;
use super::sender::Sender;
use super::state::Channel;

/// A sender that does not keep the channel open; made by [`Sender::downgrade`].
///
/// ```
/// let (tx, rx) = gmp::chan::unbounded();
/// let weak = tx.downgrade();
/// weak.upgrade().expect("tx lives").try_send(1).expect("open");
/// drop(tx);
/// assert!(weak.upgrade().is_none());
/// assert_eq!(rx.try_recv(), Ok(1));
/// assert!(rx.is_closed());
/// ```
pub struct WeakSender<T> {
    channel: Weak<Channel<T>>,
}

impl<T> Sender<T> {
    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            channel: Arc::downgrade(self.channel()),
        }
    }

    /// How many senders there are, with this one; permits of
    /// [`reserve_owned`](Sender::reserve_owned) count as well.
    ///
    /// ```
    /// let (tx, rx) = gmp::chan::bounded::<u32>(1);
    /// let (other, weak) = (tx.clone(), tx.downgrade());
    /// assert_eq!((tx.strong_count(), tx.weak_count()), (2, 1));
    /// drop((tx, other));
    /// assert_eq!((weak.strong_count(), rx.sender_weak_count()), (0, 1));
    /// ```
    pub fn strong_count(&self) -> usize {
        *self.channel().lock().senders()
    }

    /// How many senders there are that do not keep the channel open.
    pub fn weak_count(&self) -> usize {
        Arc::weak_count(self.channel())
    }
}

impl<T> Receiver<T> {
    /// How many senders there are.
    pub fn sender_strong_count(&self) -> usize {
        *self.channel().lock().senders()
    }

    /// How many senders there are that do not keep the channel open.
    pub fn sender_weak_count(&self) -> usize {
        Arc::weak_count(self.channel())
    }
}

impl<T> WeakSender<T> {
    /// How many senders there are that keep the channel open.
    pub fn strong_count(&self) -> usize {
        let channel = self.channel.upgrade();
        channel.map_or(0, |channel| *channel.lock().senders())
    }

    /// How many there are of its kind, with this one; none once both ends are gone.
    pub fn weak_count(&self) -> usize {
        self.channel.weak_count()
    }

    /// A sender, if there is another one. The channel may be closed all the same,
    /// by [`Sender::close`] or by its receivers.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let channel = self.channel.upgrade()?;
        {
            let mut state = channel.lock();
            // The last one closed the channel for good.
            if *state.senders() == 0 {
                return None;
            }
            *state.senders() += 1;
        }
        Some(Sender::new(channel))
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender {
            channel: self.channel.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}
