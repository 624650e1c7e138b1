//! All tasks that have ever parked, in shards, for enumeration: shutdown, dumps
//! and leak checks.
//!
//! A task enters when it parks for the first time and leaves when it ends, so a
//! task that runs to its end at once costs nothing here, and the spawn path no
//! lock. Tasks that have not parked yet are on a queue or in a poll, and are
//! found there. A shard's lock is taken twice in the life of a task, by threads
//! that are spread over the shards.

#![expect(unsafe_code, reason = "takes counted references from listed pointers")]

use std::ptr::NonNull;

use crate::g::{Header, TaskRef};
use crate::sync::{Mutex, Ordering, lock};

const SHARD_BITS: u32 = 5;
const SHARDS: usize = 1 << SHARD_BITS;

/// The shards.
pub(crate) struct Registry {
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    free: Option<u32>,
}

enum Slot {
    Task(NonNull<Header>),
    Free(Option<u32>),
}

// SAFETY: the pointers are only followed under the shard's lock, while the task
// they name cannot end.
unsafe impl Send for Shard {}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
        }
    }

    /// Lists a task that is about to park for the first time.
    ///
    /// # Safety
    /// The caller runs the task, and [`Registry::remove`] comes before its end.
    pub(crate) unsafe fn insert(&self, task: NonNull<Header>, near: u32) {
        let index = near as usize % SHARDS;
        let mut shard = lock(&self.shards[index]);
        let slot = match shard.free {
            Some(slot) => {
                let Slot::Free(next) = shard.slots[slot as usize] else {
                    unreachable!("gmp: a used slot on the free list")
                };
                shard.free = next;
                shard.slots[slot as usize] = Slot::Task(task);
                slot
            }
            None => {
                let slot = u32::try_from(shard.slots.len()).expect("fewer than 2^27 tasks a shard");
                shard.slots.push(Slot::Task(task));
                slot
            }
        };
        // SAFETY: alive by contract.
        let header = unsafe { task.as_ref() };
        // ord: only the M that runs the task reads it
        header
            .slot
            .store(((slot << SHARD_BITS) | index as u32) + 1, Ordering::Relaxed);
    }

    /// Takes a task off the list; nothing if it never parked.
    pub(crate) fn remove(&self, header: &Header) {
        let slot = header.slot.load(Ordering::Relaxed); // ord: written by an earlier poll
        let Some(slot) = slot.checked_sub(1) else {
            return;
        };
        let mut shard = lock(&self.shards[slot as usize % SHARDS]);
        let slot = slot >> SHARD_BITS;
        shard.slots[slot as usize] = Slot::Free(shard.free);
        shard.free = Some(slot);
    }

    /// Calls `look` with every listed task, shard by shard. Tasks that are
    /// listed or removed meanwhile may be missed or seen. `look` must be short
    /// and run no user code: it holds a shard's lock.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&Header, &dyn Fn() -> TaskRef)) {
        for shard in &self.shards {
            for slot in &lock(shard).slots {
                if let Slot::Task(task) = *slot {
                    // SAFETY: listed, and ends only after a removal under this lock.
                    let header = unsafe { task.as_ref() };
                    // SAFETY: as above.
                    look(header, &|| unsafe { TaskRef::new(task) });
                }
            }
        }
    }

    /// How many tasks are listed.
    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|s| {
                lock(s)
                    .slots
                    .iter()
                    .filter(|s| matches!(s, Slot::Task(_)))
                    .count()
            })
            .sum()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({})", self.len())
    }
}
