//! Senders that do not keep a channel open.

use std::fmt;
use std::sync::Weak;

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
            channel: self.weak_channel(),
        }
    }
}

impl<T> WeakSender<T> {
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
