//! The end of an unbounded channel where values go in.

use super::error::SendError;
use super::sender::senders;
use crate::chan;

/// The end of an unbounded channel where values go in. The drop of the last one closes
/// the channel.
pub struct UnboundedSender<T>(pub(super) chan::Sender<T>);

/// A sender that does not keep the channel open; made by [`UnboundedSender::downgrade`].
pub struct WeakUnboundedSender<T>(pub(super) chan::WeakSender<T>);

impl<T> UnboundedSender<T> {
    pub(super) fn new(sender: chan::Sender<T>) -> UnboundedSender<T> {
        UnboundedSender(sender)
    }

    /// Sends `value`, at once.
    ///
    /// # Errors
    /// With the value, if the channel is closed.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let sent = self.0.try_send(value);
        sent.map_err(|error| SendError(error.into_inner()))
    }

    /// A sender that does not keep the channel open.
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender(self.0.downgrade())
    }
}

impl<T> WeakUnboundedSender<T> {
    /// A sender, if there is another one.
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        self.0.upgrade().map(UnboundedSender)
    }
}

senders!(UnboundedSender, WeakUnboundedSender);
