//! Room that is kept for values to come.

use std::iter::FusedIterator;

use super::sender::Sender;
use crate::chan;

/// Room for one value: see [`Sender::reserve`]. Dropping it gives the room back.
#[must_use = "room that nobody uses is missing to others"]
pub struct Permit<'a, T>(pub(super) chan::Permit<'a, T>);

impl<T> Permit<'_, T> {
    /// Sends `value`, without waiting. It is received after a
    /// [`close`](super::Receiver::close) as well; if the receiver is gone, it is dropped.
    pub fn send(self, value: T) {
        drop(self.0.send(value));
    }
}

/// Room for several values, as that many [`Permit`]s: see [`Sender::reserve_many`].
/// Dropping it gives back the room that is left.
#[must_use = "room that nobody uses is missing to others"]
pub struct PermitIterator<'a, T>(pub(super) chan::PermitIterator<'a, T>);

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        self.0.next().map(Permit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> FusedIterator for PermitIterator<'_, T> {}

/// Room for one value, with the sender: see [`Sender::reserve_owned`]. Dropping it gives
/// the room back, and drops the sender.
#[must_use = "room that nobody uses is missing to others"]
pub struct OwnedPermit<T>(pub(super) chan::OwnedPermit<T>);

impl<T> OwnedPermit<T> {
    /// Sends `value` as [`Permit::send`], and gives the sender back.
    pub fn send(self, value: T) -> Sender<T> {
        let (sender, sent) = self.0.try_send(value);
        drop(sent);
        Sender::new(sender)
    }

    /// Gives the room back, and the sender.
    pub fn release(self) -> Sender<T> {
        Sender::new(self.0.release())
    }
}
