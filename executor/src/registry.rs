//! All tasks that have ever parked, in shards, for enumeration: shutdown, dumps
//! and leak checks.
//!
//! A task enters when it parks for the first time and leaves when it ends, so a
//! task that runs to its end at once costs nothing here, and the spawn path no
//! lock. Tasks that have not parked yet are on a queue or in a poll, and are
//! found there. A shard's lock is taken twice in the life of a task, by threads
//! that are spread over the shards.

#![expect(unsafe_code, reason = "takes counted references from listed pointers")]

use std::hint::black_box;
use std::ptr::NonNull;

use crate::g::{Header, TaskRef};
use crate::sync::{Mutex, Ordering, lock};

const SHARD_BITS: u32 = 5;
const SHARDS: usize = 1 << SHARD_BITS;

/// The shards.
pub(crate) struct Registry {
    shards: Box<[Mutex<Shard>]>,
}

/// Slots in chunks that never move: growth copies nothing, and a million parked
/// tasks cost eight bytes each.
#[derive(Default)]
struct Shard {
    chunks: Vec<Box<[Slot; CHUNK]>>,
    /// Slots handed out so far, used and free ones.
    len: u32,
    /// The free slot that was given back last, plus 1; 0: none.
    free: u32,
    /// How many slots are free.
    spare: u32,
}

const CHUNK: usize = 512;

/// A task's address, or the next free slot (plus 1) shifted over a mark in the
/// lowest bit, which no address has.
#[derive(Clone, Copy)]
struct Slot(*mut Header);

impl Slot {
    fn free(next: u32) -> Slot {
        Slot(std::ptr::without_provenance_mut((next as usize) << 1 | 1))
    }

    fn get(self) -> Result<NonNull<Header>, u32> {
        if self.0.addr() & 1 == 1 {
            return Err((self.0.addr() >> 1) as u32);
        }
        Ok(NonNull::new(self.0).expect("gmp: an unused slot was read"))
    }
}

// SAFETY: the pointers are only followed under the shard's lock, while the task
// they name cannot end.
unsafe impl Send for Shard {}

impl Shard {
    fn slot(&mut self, index: u32) -> &mut Slot {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    fn insert(&mut self, task: NonNull<Header>) -> u32 {
        let index = if let Some(index) = self.free.checked_sub(1) {
            let Err(next) = self.slot(index).get() else {
                unreachable!("gmp: a used slot on the free list")
            };
            self.free = next;
            self.spare -= 1;
            index
        } else {
            if self.len as usize == self.chunks.len() * CHUNK {
                self.chunks.push(Box::new([Slot::free(0); CHUNK]));
            }
            self.len += 1;
            self.len - 1
        };
        *self.slot(index) = Slot(task.as_ptr());
        index
    }

    fn remove(&mut self, index: u32) {
        *self.slot(index) = Slot::free(self.free);
        self.free = index + 1;
        self.spare += 1;
    }

    /// The tasks in some of the slots.
    fn part(&self, from: u32, to: u32) -> impl Iterator<Item = NonNull<Header>> {
        let slots = (from..to.min(self.len))
            .map(|index| self.chunks[index as usize / CHUNK][index as usize % CHUNK]);
        slots.filter_map(|slot| slot.get().ok())
    }

    fn tasks(&self) -> impl Iterator<Item = NonNull<Header>> {
        let slots = self.chunks.iter().flat_map(|chunk| chunk.iter());
        slots
            .take(self.len as usize)
            .filter_map(|slot| slot.get().ok())
    }
}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
        }
    }

    /// Lists a task that is about to park for the first time.
    ///
    /// # Safety
    /// The caller has the right to run the task, or runs it, and [`Registry::remove`]
    /// comes before its end.
    pub(crate) unsafe fn insert(&self, task: NonNull<Header>, near: u32) {
        let shard = near as usize % SHARDS;
        let index = lock(&self.shards[shard]).insert(task);
        // SAFETY: alive by contract.
        let header = unsafe { task.as_ref() };
        assert!(
            index < u32::MAX >> (SHARD_BITS + 1),
            "gmp: too many parked tasks"
        );
        // ord: read only by who has the right to run the task
        header.slot.store(
            ((index << SHARD_BITS) | shard as u32) + 1,
            Ordering::Relaxed,
        );
    }

    /// Takes a task off the list; nothing if it never parked.
    pub(crate) fn remove(&self, header: &Header) {
        let slot = header.slot.load(Ordering::Relaxed); // ord: written by an earlier poll
        let Some(slot) = slot.checked_sub(1) else {
            return;
        };
        lock(&self.shards[slot as usize % SHARDS]).remove(slot >> SHARD_BITS);
    }

    /// Calls `look` with every listed task, shard by shard. Tasks that are
    /// listed or removed meanwhile may be missed or seen. `look` must be short
    /// and run no user code: it holds a shard's lock.
    pub(crate) fn for_each(&self, mut look: impl FnMut(&Header, &dyn Fn() -> TaskRef)) {
        for shard in &self.shards {
            for task in lock(shard).tasks() {
                // SAFETY: listed, and ends only after a removal under this lock.
                let header = unsafe { task.as_ref() };
                // SAFETY: as above.
                look(header, &|| unsafe { TaskRef::new(task) });
            }
        }
    }

    /// As [`Registry::for_each`], but no lock is held for long: a shard's is given
    /// back after each `step` slots, and `pause` is called under none. A task that is
    /// listed from before until after the walk is seen once.
    pub(crate) fn walk(&self, step: u32, mut look: impl FnMut(&Header), mut pause: impl FnMut()) {
        for shard in &self.shards {
            // What is put behind this later was not listed before.
            let len = lock(shard).len;
            let mut at = 0;
            while at < len {
                let to = len.min(at + step);
                let shard = lock(shard);
                // Most headers are in no cache. These loads wait for memory together,
                // those of one look after another would wait one by one.
                for task in shard.part(at, to) {
                    // SAFETY: as in for_each.
                    let header = unsafe { task.as_ref() };
                    black_box((header.goid, header.park.labels()));
                }
                for task in shard.part(at, to) {
                    // SAFETY: as in for_each.
                    look(unsafe { task.as_ref() });
                }
                drop(shard);
                at += step;
                pause();
            }
        }
    }

    /// How many tasks are listed.
    pub(crate) fn len(&self) -> usize {
        let used = |shard: &Mutex<Shard>| {
            let shard = lock(shard);
            (shard.len - shard.spare) as usize
        };
        self.shards.iter().map(used).sum()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({})", self.len())
    }
}
