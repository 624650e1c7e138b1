//! The tasks of a P that gave way while every P was busy: they stand behind the
//! global queue (R-G-10; `ready::give_way` says why not in it).
//!
//! A lock and not a ring: it has no bound, the owner has it to itself for as long as
//! everybody is busy, and a thief comes only when its own P has run out.

use std::collections::VecDeque;

use crate::g::ReadyG;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

#[derive(Debug, Default)]
pub(crate) struct Yielded {
    queue: Mutex<VecDeque<ReadyG>>,
    /// Its length, written under the lock.
    len: AtomicUsize,
}

impl Yielded {
    /// Exact for the owner, unless somebody takes; a hint for others.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed) // ord: the lock decides
    }

    /// Owner only.
    pub(crate) fn put(&self, gp: ReadyG) {
        self.with(|queue| queue.push_back(gp));
    }

    /// The head.
    pub(crate) fn take(&self) -> Option<ReadyG> {
        if self.is_empty() {
            return None;
        }
        self.with(VecDeque::pop_front)
    }

    /// Gives the first `n` at most to `sink`, in order.
    pub(crate) fn take_some(&self, n: usize, sink: impl FnMut(ReadyG)) {
        if !self.is_empty() {
            self.with(|queue| queue.drain(..n.min(queue.len())).for_each(sink));
        }
    }

    /// A thief: as [`Yielded::take_some`], of half of them, rounded up.
    pub(crate) fn steal(&self, most: usize, sink: impl FnMut(ReadyG)) {
        if !self.is_empty() {
            self.with(|queue| {
                let half = queue.len() - queue.len() / 2;
                queue.drain(..half.min(most)).for_each(sink);
            });
        }
    }

    /// Shows all of them.
    pub(crate) fn peek(&self, look: impl FnMut(&ReadyG)) {
        lock(&self.queue).iter().for_each(look);
    }

    fn with<R>(&self, f: impl FnOnce(&mut VecDeque<ReadyG>) -> R) -> R {
        let mut queue = lock(&self.queue);
        let result = f(&mut queue);
        self.len.store(queue.len(), Ordering::Relaxed); // ord: as len
        result
    }
}
