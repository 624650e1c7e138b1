//! Room that is kept for values to come.

use std::fmt;
use std::iter::FusedIterator;
use std::mem::ManuallyDrop;

use super::errors::SendError;
use super::sender::Sender;
use super::state::Sent;

/// Room for one value: see [`Sender::reserve`]. Dropping it gives the room back.
#[must_use = "room that nobody uses is missing to others"]
pub struct Permit<'a, T> {
    sender: &'a Sender<T>,
}

impl<'a, T> Permit<'a, T> {
    /// For room that is kept.
    pub(super) fn new(sender: &'a Sender<T>) -> Permit<'a, T> {
        Permit { sender }
    }

    /// Sends `value`, without waiting; after a [`close`](Sender::close) as well, and
    /// receivers wait for it.
    ///
    /// # Errors
    /// With the value, if all receivers are gone; of an unbounded channel, also if it
    /// was closed meanwhile.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        ManuallyDrop::new(self).sender.send_reserved(value)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.sender.give_up_room(1);
    }
}

/// Room for several values, as that many [`Permit`]s: see
/// [`Sender::reserve_many`]. Dropping it gives back the room that is left.
#[must_use = "room that nobody uses is missing to others"]
pub struct PermitIterator<'a, T> {
    sender: &'a Sender<T>,
    left: usize,
}

impl<'a, T> PermitIterator<'a, T> {
    /// For room that is kept.
    pub(super) fn new(sender: &'a Sender<T>, left: usize) -> PermitIterator<'a, T> {
        PermitIterator { sender, left }
    }
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        self.left = self.left.checked_sub(1)?;
        Some(Permit::new(self.sender))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> FusedIterator for PermitIterator<'_, T> {}

impl<T> Drop for PermitIterator<'_, T> {
    fn drop(&mut self) {
        if self.left > 0 {
            self.sender.give_up_room(self.left);
        }
    }
}

/// Room for one value, with the sender: see [`Sender::reserve_owned`]. Dropping it
/// gives the room back, and drops the sender.
#[must_use = "room that nobody uses is missing to others"]
pub struct OwnedPermit<T> {
    /// None once it is sent or released.
    sender: Option<Sender<T>>,
}

impl<T> OwnedPermit<T> {
    /// For room that is kept.
    pub(super) fn new(sender: Sender<T>) -> OwnedPermit<T> {
        OwnedPermit {
            sender: Some(sender),
        }
    }

    /// Sends `value`, without waiting, and gives the sender back.
    ///
    /// # Errors
    /// As [`Permit::send`].
    pub fn send(self, value: T) -> Result<Sender<T>, SendError<T>> {
        let (sender, sent) = self.try_send(value);
        sent.map(|()| sender)
    }

    /// As [`send`](Self::send), and the sender comes back in any case.
    pub(crate) fn try_send(mut self, value: T) -> (Sender<T>, Result<(), SendError<T>>) {
        let sender = self.take();
        let sent = sender.send_reserved(value);
        (sender, sent)
    }

    /// Gives the room back, and the sender.
    ///
    /// ```
    /// let (tx, _rx) = gmp::chan::bounded(1);
    /// let permit = tx.try_reserve_owned().expect("room");
    /// let tx = permit.release();
    /// tx.try_send(1).expect("room again");
    /// ```
    pub fn release(mut self) -> Sender<T> {
        let sender = self.take();
        sender.give_up_room(1);
        sender
    }

    fn take(&mut self) -> Sender<T> {
        self.sender.take().expect("a permit is used once")
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            sender.give_up_room(1);
        }
    }
}

impl<T> Sender<T> {
    fn send_reserved(&self, value: T) -> Result<(), SendError<T>> {
        // The lock ends with this statement, before anybody is woken.
        let (sent, wakers) = self.channel().lock().send_reserved(value);
        wakers.wake();
        match sent {
            Sent::Done(_) => Ok(()),
            Sent::Full(value) | Sent::Closed(value) => Err(SendError(value)),
        }
    }

    fn give_up_room(&self, permits: usize) {
        // The lock ends with this statement, before anybody is woken.
        let next = self.channel().lock().give_up_room(permits);
        next.wake();
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("sender", &self.sender)
            .finish()
    }
}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitIterator")
            .field("sender", &self.sender)
            .field("left", &self.left)
            .finish()
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit")
            .field("sender", &self.sender)
            .finish()
    }
}
