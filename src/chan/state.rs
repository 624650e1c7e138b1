//! The inside of a channel: what it keeps, who waits, and the one order of both.
//!
//! Invariants, outside the lock:
//! 1. A receiver waits only if nothing is inside and no sender waits.
//! 2. The first that waits to send, or for permits, wants more room than there is.
//!    Room that is kept for a permit is none. Nobody overtakes it, with however
//!    small a wish, but to hand a value to a receiver that waits.
//! 3. Each value is in one place: in the note of a waiting sender, inside, or in
//!    the note of the receiver that it was handed to.
//!
//! A value that was handed over keeps its number until its receiver collects it.
//! If that receiver goes away instead, the value goes to the next one in the
//! queue, or among [`State::returned`] by its number, and comes out before
//! everything that was sent after it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::task::Waker;

use super::ends::{Ends, Half};
use crate::sync::waiters::{Key, Waiters, Wakers, lock};

/// A value that was handed over, with the number of its hand-over.
pub(super) type Handed<T> = (u64, T);

#[derive(Debug)]
pub(super) struct Channel<T> {
    pub(super) state: Mutex<State<T>>,
    pub(super) capacity: Option<usize>,
}

#[derive(Debug)]
pub(super) struct State<T> {
    /// `usize::MAX` if unbounded.
    room: usize,
    /// Handed over once and returned, by number.
    returned: VecDeque<Handed<T>>,
    buffer: VecDeque<T>,
    /// Room kept for permits; an unbounded channel keeps no count.
    reserved: usize,
    /// With their values.
    pub(super) sending: Waiters<Offer<T>>,
    /// Who wants a permit.
    pub(super) reserving: Waiters<Want>,
    /// How many have waited in one of the two.
    turns: u64,
    /// With what was handed to them.
    pub(super) receiving: Waiters<Option<Handed<T>>>,
    handed: u64,
    closed: bool,
    /// Who waits for that.
    pub(super) closing: Waiters<()>,
    senders: usize,
    receivers: usize,
    pub(super) ends: Ends,
}

/// What a waiting sender has.
#[derive(Debug)]
pub(super) struct Offer<T> {
    turn: u64,
    /// None once it is taken.
    pub(super) value: Option<T>,
}

/// Of who waits for permits.
#[derive(Debug)]
pub(super) struct Want {
    turn: u64,
    permits: usize,
    /// Room is kept for them.
    pub(super) granted: bool,
}

/// What became of a value that was to be sent.
#[must_use = "the waker is woken after the lock"]
pub(super) enum Sent<T> {
    Done(Option<Waker>),
    Full(T),
    Closed(T),
}

/// What a receiver found.
#[must_use = "the waker is woken after the lock"]
pub(super) enum Found<T> {
    /// A value, and a sender whose own went in or out with it.
    Value(T, Option<Waker>),
    Empty,
    Closed,
}

/// What a channel without receivers no longer keeps; dropped after the lock.
#[derive(Debug)]
pub(super) struct Remains<T> {
    _returned: VecDeque<Handed<T>>,
    _buffer: VecDeque<T>,
}

impl<T> Channel<T> {
    pub(super) fn new(capacity: Option<usize>) -> Channel<T> {
        let state = State {
            room: capacity.unwrap_or(usize::MAX),
            returned: VecDeque::new(),
            buffer: VecDeque::new(),
            reserved: 0,
            sending: Waiters::new(),
            reserving: Waiters::new(),
            turns: 0,
            receiving: Waiters::new(),
            handed: 0,
            closed: false,
            closing: Waiters::new(),
            senders: 1,
            receivers: 1,
            ends: Ends::default(),
        };
        Channel {
            state: Mutex::new(state),
            capacity,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        lock(&self.state)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    /// Returns whether this call closed it.
    pub(super) fn close(&self) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        let wakers = state.close();
        drop(state);
        wakers.wake();
        true
    }
}

impl<T> State<T> {
    pub(super) fn len(&self) -> usize {
        self.returned.len() + self.buffer.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn senders(&mut self) -> &mut usize {
        &mut self.senders
    }

    pub(super) fn receivers(&mut self) -> &mut usize {
        &mut self.receivers
    }

    /// Sends without waiting: into the hands of the first receiver, or inside.
    #[inline]
    pub(super) fn send(&mut self, value: T) -> Sent<T> {
        self.ends.used(Half::Senders);
        if self.closed {
            return Sent::Closed(value);
        }
        let value = match self.hand(value) {
            Ok(waker) => return Sent::Done(waker),
            Err(value) => value,
        };
        // One that wants much waits though there is some room, and goes first.
        if self.has_room() && self.reserving.is_empty() {
            self.buffer.push_back(value);
            return Sent::Done(None);
        }
        Sent::Full(value)
    }

    fn has_room(&self) -> bool {
        // Neither comes near a half of all numbers: each value has an address.
        self.len() + self.reserved < self.room
    }

    /// How many more values may be sent or permits taken; none if unbounded.
    pub(super) fn room_left(&self) -> Option<usize> {
        let left = self.room.saturating_sub(self.len() + self.reserved);
        (self.room < usize::MAX).then_some(left)
    }

    /// How many permits there ever are; a rendezvous has one.
    pub(super) fn most_permits(&self) -> usize {
        self.room.max(1)
    }

    fn has_room_for(&self, permits: usize) -> bool {
        let used = self.len() + self.reserved;
        permits <= self.most_permits().saturating_sub(used)
    }

    fn keep(&mut self, permits: usize) {
        if self.room < usize::MAX {
            self.reserved += permits;
        }
    }

    fn free(&mut self, permits: usize) {
        if self.room < usize::MAX {
            self.reserved -= permits;
        }
    }

    /// Keeps room for so many values, without waiting.
    pub(super) fn reserve(&mut self, permits: usize) -> Sent<()> {
        self.ends.used(Half::Senders);
        if self.closed {
            return Sent::Closed(());
        }
        let overtakes = !self.reserving.is_empty() && permits > 0;
        if overtakes || !self.has_room_for(permits) {
            return Sent::Full(());
        }
        self.keep(permits);
        Sent::Done(None)
    }

    /// A place in the queue for a sender that found no room.
    pub(super) fn wait_to_send(&mut self, waker: &Waker, value: T) -> Key {
        self.turns += 1;
        let offer = Offer {
            turn: self.turns,
            value: Some(value),
        };
        self.sending.push(Some(waker), offer)
    }

    /// A place in the queue for permits.
    pub(super) fn wait_for_room(&mut self, waker: &Waker, permits: usize) -> Key {
        self.turns += 1;
        let want = Want {
            turn: self.turns,
            permits,
            granted: false,
        };
        self.reserving.push(Some(waker), want)
    }

    /// Sends into room that was kept, of a closed channel too, as long as somebody may
    /// receive. Wakes who gets the value, and who gets the room if that did not need it.
    pub(super) fn send_reserved(&mut self, value: T) -> (Sent<T>, Wakers) {
        let late = self.closed && (self.receivers == 0 || self.room == usize::MAX);
        self.free(1);
        let mut wakers = Wakers::default();
        if late {
            return (Sent::Closed(value), wakers);
        }
        self.ends.used(Half::Senders);
        match self.hand(value) {
            Ok(receiver) => {
                wakers.add(receiver);
                wakers.add(self.admit());
            }
            Err(value) => self.buffer.push_back(value),
        }
        wakers.append(self.end_if_empty());
        (Sent::Done(None), wakers)
    }

    /// Gives a value to the first receiver that waits, if one does.
    #[inline]
    fn hand(&mut self, value: T) -> Result<Option<Waker>, T> {
        let Some((note, waker)) = self.receiving.pop() else {
            return Err(value);
        };
        *note = Some((self.handed, value));
        self.handed += 1;
        Ok(waker)
    }

    /// Nothing will come any more: closed, and no permit is out.
    fn is_at_its_end(&self) -> bool {
        self.closed && self.reserved == 0
    }

    /// The receivers that wait, if nothing will come for them.
    fn end_if_empty(&mut self) -> Wakers {
        if self.is_at_its_end() {
            self.receiving.pop_all()
        } else {
            Wakers::default()
        }
    }

    /// Room that was kept is free.
    pub(super) fn give_up_room(&mut self, permits: usize) -> Wakers {
        self.free(permits);
        let mut wakers = self.admit_all();
        wakers.append(self.end_if_empty());
        wakers
    }

    /// Ends the wait for permits of one that goes away.
    pub(super) fn stop_waiting_for_room(&mut self, key: Key) -> (Wakers, impl Sized + use<T>) {
        let removed = self.reserving.remove(key);
        let kept = if removed.note.granted {
            removed.note.permits
        } else {
            0
        };
        // One that wanted much may have stood before others that want less.
        (self.give_up_room(kept), removed)
    }

    /// Receives without waiting: from inside, or from the hands of a sender.
    pub(super) fn receive(&mut self) -> Found<T> {
        let inside = match self.returned.pop_front() {
            Some((_, value)) => Some(value),
            None => self.buffer.pop_front(),
        };
        if let Some(value) = inside {
            let waker = self.admit();
            return Found::Value(value, waker);
        }
        // Nothing inside and a sender that waits: there is no inside.
        if let Some((value, waker)) = self.take_from_sender() {
            return Found::Value(value, waker);
        }
        if self.is_at_its_end() {
            return Found::Closed;
        }
        Found::Empty
    }

    /// Gives room, if there is enough, to whoever has waited longest for it: keeps
    /// it for permits, or lets a sender's value in. Once for each value's room that
    /// comes free is enough: the first wanted more than there was.
    fn admit(&mut self) -> Option<Waker> {
        let sender = self.sending.front().map_or(u64::MAX, |offer| offer.turn);
        // At a rendezvous there is room for a permit and for no sender.
        let first = |want: &&Want| want.turn < sender || self.room == 0;
        if let Some(permits) = self.reserving.front().filter(first).map(|w| w.permits) {
            if !self.has_room_for(permits) {
                return None;
            }
            self.keep(permits);
            let (want, waker) = self.reserving.pop()?;
            want.granted = true;
            return waker;
        }
        if !self.has_room() {
            return None;
        }
        let (value, waker) = self.take_from_sender()?;
        self.buffer.push_back(value);
        waker
    }

    /// Gives room to as many as there is room for.
    fn admit_all(&mut self) -> Wakers {
        let mut wakers = Wakers::default();
        // Whoever waits in a queue has a waker.
        while let Some(waker) = self.admit() {
            wakers.add(Some(waker));
        }
        wakers
    }

    fn take_from_sender(&mut self) -> Option<(T, Option<Waker>)> {
        let (note, waker) = self.sending.pop()?;
        let value = note.value.take().expect("a queued sender holds its value");
        Some((value, waker))
    }

    /// Takes back a value whose receiver went away.
    #[must_use = "the next receiver waits"]
    pub(super) fn give_back(&mut self, handed: Handed<T>) -> Option<Waker> {
        if let Some((note, waker)) = self.receiving.pop() {
            *note = Some(handed);
            return waker;
        }
        let place = self.returned.partition_point(|(n, _)| *n < handed.0);
        self.returned.insert(place, handed);
        None
    }

    /// Ends the wait of a receiver that goes away.
    #[must_use = "the next receiver waits"]
    pub(super) fn abandon(&mut self, key: Key) -> (Option<Waker>, impl Sized + use<T>) {
        let mut removed = self.receiving.remove(key);
        let waker = removed.note.take().and_then(|v| self.give_back(v));
        (waker, removed)
    }

    /// Nothing can be sent from here on, but with permits that are out. Waiting senders
    /// keep their values, and find them again.
    pub(super) fn close(&mut self) -> Wakers {
        self.closed = true;
        let mut wakers = self.end_if_empty();
        wakers.append(self.sending.pop_all());
        wakers.append(self.reserving.pop_all());
        wakers.append(self.closing.pop_all());
        wakers
    }

    /// What is inside, when there is nobody to receive it.
    pub(super) fn empty(&mut self) -> Remains<T> {
        Remains {
            _returned: std::mem::take(&mut self.returned),
            _buffer: std::mem::take(&mut self.buffer),
        }
    }
}
