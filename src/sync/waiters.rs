//! The queue that everything in [`chan`](crate::chan) and [`sync`](crate::sync)
//! waits in: first in, first out, with a place that can be left at any time.
//!
//! A waiter is a slot: a waker, a note of the owner's type `T` (what it wants, or
//! what it was given), and whether it stands in the queue. The future that waits
//! holds the slot's [`Key`]. Whoever grants something takes the waiter out of the
//! queue, writes into its note and wakes it; the slot itself stays until its
//! future gives it back with [`Waiters::remove`]. So a future that is dropped
//! between the two finds in its note what it must pass on.
//!
//! Invariants:
//! 1. Each key is held by one future, and its slot lives as long as the key.
//! 2. A queue lives inside the lock of its owner (see [`lock`]). Under that lock
//!    no waker is woken or dropped: every method that ends the life of a waker
//!    returns it. A waker is cloned there, which for a task is a count.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;

/// Locks the state of a primitive. Code of users never runs under this lock, but
/// for the clone of a waker, which comes before any change: a panic there leaves
/// the state whole, and the poison means nothing.
pub(crate) fn lock<S: ?Sized>(state: &Mutex<S>) -> MutexGuard<'_, S> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No slot.
const NIL: usize = usize::MAX;

/// A queue of waiters that carry a `T`.
#[derive(Debug)]
pub(crate) struct Waiters<T> {
    slots: Slab<Slot<T>>,
    head: usize,
    tail: usize,
    queued: usize,
}

#[derive(Debug)]
struct Slot<T> {
    note: T,
    waker: Option<Waker>,
    queued: bool,
    next: usize,
    prev: usize,
}

/// The right to one slot. Not `Clone`: a slot has one owner.
#[derive(Debug)]
pub(crate) struct Key(usize);

/// What is left of a waiter that has given up its slot.
#[derive(Debug)]
#[must_use = "holds a waker that is dropped after the lock is released"]
pub(crate) struct Removed<T> {
    pub(crate) note: T,
    /// Whether it still stood in the queue: nobody had granted it anything.
    pub(crate) queued: bool,
    pub(crate) waker: Option<Waker>,
}

impl<T> Waiters<T> {
    pub(crate) const fn new() -> Waiters<T> {
        Waiters {
            slots: Slab::new(),
            head: NIL,
            tail: NIL,
            queued: 0,
        }
    }

    /// How many stand in the queue.
    pub(crate) fn len(&self) -> usize {
        self.queued
    }

    /// Whether nobody stands in the queue.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// A new waiter at the tail; without a waker it is found but not woken.
    pub(crate) fn push(&mut self, waker: Option<&Waker>, note: T) -> Key {
        let index = self.slots.insert(Slot {
            note,
            waker: waker.cloned(),
            queued: false,
            next: NIL,
            prev: NIL,
        });
        self.link_back(index);
        Key(index)
    }

    /// Puts a waiter that was taken out back to the tail.
    pub(crate) fn requeue_back(&mut self, key: &Key, waker: &Waker) {
        debug_assert!(!self.slots[key.0].queued, "a waiter stands in one place");
        self.slots[key.0].waker = Some(waker.clone());
        self.link_back(key.0);
    }

    /// Puts a waiter that was taken out back to the head: it keeps its turn.
    pub(crate) fn requeue_front(&mut self, key: &Key, waker: &Waker) {
        debug_assert!(!self.slots[key.0].queued, "a waiter stands in one place");
        self.slots[key.0].waker = Some(waker.clone());
        self.link_front(key.0);
    }

    /// Whether the waiter stands in the queue.
    pub(crate) fn is_queued(&self, key: &Key) -> bool {
        self.slots[key.0].queued
    }

    /// The waiter's note.
    pub(crate) fn note(&mut self, key: &Key) -> &mut T {
        &mut self.slots[key.0].note
    }

    /// The note of the first in the queue.
    pub(crate) fn front(&self) -> Option<&T> {
        self.slots.get(self.head).map(|slot| &slot.note)
    }

    /// Makes `waker` the one to wake. The former one is for the caller to drop
    /// after the lock; none if both wake the same task.
    #[must_use = "a waker is dropped after the lock is released"]
    pub(crate) fn set_waker(&mut self, key: &Key, waker: &Waker) -> Option<Waker> {
        let slot = &mut self.slots[key.0].waker;
        match slot {
            Some(old) if old.will_wake(waker) => None,
            _ => slot.replace(waker.clone()),
        }
    }

    /// Takes the first out of the queue: its note, to write into, and its waker.
    pub(crate) fn pop(&mut self) -> Option<(&mut T, Option<Waker>)> {
        self.take(self.head)
    }

    /// As [`pop`](Self::pop), the last.
    pub(crate) fn pop_back(&mut self) -> Option<(&mut T, Option<Waker>)> {
        self.take(self.tail)
    }

    #[inline]
    fn take(&mut self, index: usize) -> Option<(&mut T, Option<Waker>)> {
        if index == NIL {
            return None;
        }
        self.unlink(index);
        let slot = &mut self.slots[index];
        Some((&mut slot.note, slot.waker.take()))
    }

    /// Takes everybody out of the queue.
    pub(crate) fn pop_all(&mut self) -> Wakers {
        let mut wakers = Wakers(Vec::with_capacity(self.queued));
        while let Some((_, waker)) = self.pop() {
            wakers.add(waker);
        }
        wakers
    }

    /// Takes this one out of the queue, if it stands there. Its slot stays.
    #[must_use = "a waker is dropped after the lock is released"]
    pub(crate) fn leave(&mut self, key: &Key) -> Option<Waker> {
        if self.slots[key.0].queued {
            self.unlink(key.0);
        }
        self.slots[key.0].waker.take()
    }

    /// Ends the waiter, in the queue or not.
    pub(crate) fn remove(&mut self, key: Key) -> Removed<T> {
        let queued = self.slots[key.0].queued;
        if queued {
            self.unlink(key.0);
        }
        let slot = self.slots.remove(key.0);
        Removed {
            note: slot.note,
            queued,
            waker: slot.waker,
        }
    }

    fn link_back(&mut self, index: usize) {
        let before = std::mem::replace(&mut self.tail, index);
        let slot = &mut self.slots[index];
        slot.queued = true;
        slot.prev = before;
        slot.next = NIL;
        match self.slots.get_mut(before) {
            Some(before) => before.next = index,
            None => self.head = index,
        }
        self.queued += 1;
    }

    fn link_front(&mut self, index: usize) {
        let after = std::mem::replace(&mut self.head, index);
        let slot = &mut self.slots[index];
        slot.queued = true;
        slot.prev = NIL;
        slot.next = after;
        match self.slots.get_mut(after) {
            Some(after) => after.prev = index,
            None => self.tail = index,
        }
        self.queued += 1;
    }

    fn unlink(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.queued = false;
        let (prev, next) = (slot.prev, slot.next);
        match self.slots.get_mut(prev) {
            Some(prev) => prev.next = next,
            None => self.head = next,
        }
        match self.slots.get_mut(next) {
            Some(next) => next.prev = prev,
            None => self.tail = prev,
        }
        self.queued -= 1;
    }
}

/// Wakers to be woken after the lock, in their order.
#[derive(Debug, Default)]
#[must_use = "somebody waits for them"]
pub(crate) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    pub(crate) fn append(&mut self, later: Wakers) {
        self.0.extend(later.0);
    }

    /// Wakes them all. A waker that panics keeps nobody else from being woken;
    /// the first panic goes on afterwards.
    pub(crate) fn wake(self) {
        let mut panic = None;
        for waker in self.0 {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                panic.get_or_insert(payload);
            }
        }
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }
}

/// Wakes at most one, after the lock.
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn notes(waiters: &mut Waiters<u32>) -> Vec<u32> {
        std::iter::from_fn(|| waiters.pop().map(|(note, _)| *note)).collect()
    }

    #[test]
    fn waiters_leave_in_the_order_in_which_they_came() {
        let mut waiters = Waiters::new();
        let keys: Vec<Key> = (0..5).map(|n| waiters.push(None, n)).collect();
        assert_eq!(waiters.queued, 5);
        assert_eq!(waiters.front(), Some(&0));
        assert_eq!(notes(&mut waiters), [0, 1, 2, 3, 4]);
        assert!(waiters.is_empty());
        for (key, n) in keys.into_iter().zip(0..) {
            let removed = waiters.remove(key);
            assert_eq!((removed.note, removed.queued), (n, false));
        }
    }

    #[test]
    fn a_waiter_that_lost_its_race_keeps_its_turn() {
        let mut waiters = Waiters::new();
        let first = waiters.push(None, 1);
        let second = waiters.push(None, 2);
        assert_eq!(waiters.pop().map(|(note, _)| *note), Some(1));
        assert!(!waiters.is_queued(&first) && waiters.is_queued(&second));
        waiters.requeue_front(&first, Waker::noop());
        assert_eq!(notes(&mut waiters), [1, 2]);
        waiters.requeue_front(&first, Waker::noop());
        waiters.requeue_front(&second, Waker::noop());
        assert_eq!(notes(&mut waiters), [2, 1]);
    }

    /// Against a plain list, by a long run of chosen operations.
    #[test]
    fn the_links_agree_with_a_plain_list_after_any_operations() {
        for seed in 1..40_u32 {
            let mut random = seed;
            let mut next = move |below: usize| {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                usize::try_from(random).expect("32 bits") % below
            };
            let mut waiters = Waiters::new();
            let mut list: VecDeque<u32> = VecDeque::new();
            let mut keys: Vec<(Key, u32)> = Vec::new();
            for n in 0..300_u32 {
                match next(5) {
                    0 | 1 => {
                        keys.push((waiters.push(None, n), n));
                        list.push_back(n);
                    }
                    2 if !keys.is_empty() => {
                        let (key, note) = keys.swap_remove(next(keys.len()));
                        let queued = list.contains(&note);
                        list.retain(|other| *other != note);
                        let removed = waiters.remove(key);
                        assert_eq!((removed.note, removed.queued), (note, queued));
                    }
                    3 => {
                        let popped = waiters.pop().map(|(note, _)| *note);
                        assert_eq!(popped, list.pop_front());
                    }
                    4 if !keys.is_empty() => {
                        let (key, note) = &keys[next(keys.len())];
                        if !waiters.is_queued(key) {
                            waiters.requeue_front(key, Waker::noop());
                            list.push_front(*note);
                        }
                    }
                    _ => {}
                }
                assert_eq!(waiters.queued, list.len(), "seed {seed}");
                assert_eq!(waiters.front(), list.front(), "seed {seed}");
            }
            assert_eq!(notes(&mut waiters), Vec::from(list), "seed {seed}");
        }
    }
}
