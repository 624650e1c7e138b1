//! Who holds what others wait for: the edges of the graph in `waits.rs`.
//!
//! A lock that somebody waits for has a place in this table, a [`Lot`], and keeps
//! there which task holds it. Places are never freed and have a generation, so the
//! number in a task's park record may be looked up at any time, by any thread, long
//! after the lock is gone.
//!
//! Why a holder is sure. What a task holds by a guard that borrows the lock is in its
//! own allocation, if the leaf that took the lock was pinned there: the guard went to
//! whoever awaited the leaf, and its borrow ends before what it borrows from is gone
//! or moves. From a leaf in a box, which may be given to another task, the guard may go
//! with it; such a holder is only likely. So is that of a lock that lives for ever: its
//! guard borrows from no task. The proof knows those in the memory of the program
//! (`is_static`), not those that were leaked.

use std::panic::Location;
use std::ptr;
use std::task::Waker;

use crate::fork::Process;
use crate::g::Header;
use crate::g::waker::task_of;
use crate::image;
use crate::leaf::location_of;
use crate::m::{self, M};
use crate::sync::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, MutexGuard, Ordering, lock};

/// A task that holds something, and where it took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// 0: nobody, or not a task. [`LENT`] is the mark of an owned guard.
    id: u64,
    /// The address of its runtime: ids are unique within one.
    sched: usize,
    at: Option<&'static Location<'static>>,
}

/// What a lock is left with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A guard that borrows the lock: it stays with the task that took it, if that did so
    /// by a leaf in its own memory.
    Borrowed,
    /// A guard that keeps the lock alive: it may go from task to task.
    Owned,
}

/// Ids have 48 bits; above them are marks. The guard may be somebody else's by now.
const LENT: u64 = 1 << 63;
/// The task took a part: others may have theirs beside it.
const SHARED: u64 = 1 << 62;
const MARKS: u64 = LENT | SHARED;

/// Whether uses of channels and semaphores are noted: see [`watch`].
static WATCHED: AtomicBool = AtomicBool::new(cfg!(debug_assertions));

/// Whether somebody wants to know who used a half of a channel last, or a semaphore.
#[inline]
pub fn is_watched() -> bool {
    WATCHED.load(Ordering::Relaxed) // ord: a wish; what was not noted is not known
}

/// Has uses noted from now on, or not. In builds with debug assertions they are from
/// the start.
pub fn watch(on: bool) {
    WATCHED.store(on, Ordering::Relaxed); // ord: as above
}

impl Holder {
    /// Nobody who is known.
    pub const NOBODY: Holder = Holder {
        id: 0,
        sched: 0,
        at: None,
    };

    /// The running task, at this place of its code, by the pinned leaf at the address
    /// `leaf`; null: by a call.
    #[inline]
    pub fn here(at: &'static Location<'static>, guard: Guard, leaf: *const ()) -> Holder {
        let stays = |task: &Header| guard == Guard::Borrowed && task.has(leaf);
        Holder {
            at: Some(at),
            ..Holder::of_running(|task| if stays(task) { 0 } else { LENT })
        }
    }

    /// The running task.
    #[inline]
    pub fn running() -> Holder {
        Holder::of_running(|_| 0)
    }

    #[inline]
    fn of_running(mark: impl FnOnce(&Header) -> u64) -> Holder {
        m::with_current(|m| {
            let task = m.and_then(|m| Some((m, m.running()?)));
            task.map_or(Holder::NOBODY, |(m, task)| Holder {
                id: task.goid | mark(task),
                sched: m.sched_addr(),
                at: None,
            })
        })
    }

    /// One who took a part, beside which others may have theirs.
    #[must_use]
    pub fn shared(self) -> Holder {
        Holder {
            id: self.id | SHARED,
            ..self
        }
    }

    /// The task's id, if it is one of that runtime.
    pub(crate) fn id_in(self, sched: usize) -> Option<u64> {
        let id = self.id & !MARKS;
        (id != 0 && self.sched == sched).then_some(id)
    }

    /// Whether others may have their part beside it.
    pub(crate) fn is_shared(self) -> bool {
        self.id & SHARED != 0
    }

    /// Whether the guard may be with somebody else by now.
    pub(crate) fn is_lent(self) -> bool {
        self.id & LENT != 0
    }

    pub(crate) fn at(self) -> Option<&'static Location<'static>> {
        self.at
    }
}

/// The place of one lock in the table, from the first wait for it to its end.
#[derive(Debug)]
pub struct Lot {
    slot: &'static Slot,
    /// Generation and index, 16 and 31 bits; never 0.
    number: u64,
}

/// A mark in the number that a park record keeps: the lock has the waker of
/// something that was between it and the task.
const INDIRECT: u64 = 1 << 31;

/// The number for the park record of `m`'s task, whose leaf has this waker.
pub(crate) fn noted(number: u64, waker: &Waker, m: &M) -> u64 {
    if is_own(waker, m) {
        number
    } else {
        number | INDIRECT
    }
}

/// Whether it is the waker of the task in `m`'s poll.
fn is_own(waker: &Waker, m: &M) -> bool {
    task_of(waker).is_some_and(|task| ptr::eq(task.as_ptr(), m.curg.get()))
}

/// Whether the lock with this number has the task's own waker.
pub(crate) fn is_direct(number: u64) -> bool {
    number & INDIRECT == 0
}

/// What the table keeps of a lock. One writer at a time: the owner of the lot
/// writes under a lock of its own.
#[derive(Debug)]
struct Slot {
    /// Even; odd while the other fields change. Higher after each change.
    version: AtomicU64,
    number: AtomicU64,
    id: AtomicU64,
    sched: AtomicUsize,
    at: AtomicPtr<Location<'static>>,
    /// Where the lock is; 0: it is none.
    place: AtomicUsize,
}

/// All slots, by index, and those that are free.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<&'static Slot>,
    free: Vec<u32>,
}

fn table() -> MutexGuard<'static, Table> {
    lock(&Process::here().lots)
}

/// What a slot said at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) holder: Holder,
    /// Equal versions: nobody took or left the lock in between.
    pub(crate) version: u64,
    place: usize,
}

impl Sight {
    /// Whether the lock is in a `static`: a guard that borrows it may be anybody's.
    pub(crate) fn is_static(&self) -> bool {
        image::has(self.place)
    }
}

impl Slot {
    fn write(&self, number: u64, holder: Holder) {
        let version = self.version.load(Ordering::Relaxed); // ord: one writer
        self.version.store(version + 1, Ordering::Relaxed); // ord: before the fields, which release it
        self.number.store(number, Ordering::Release); // ord: whoever sees it sees the odd version
        self.id.store(holder.id, Ordering::Release); // ord: as above
        self.sched.store(holder.sched, Ordering::Release); // ord: as above
        let at = holder.at.map_or(ptr::null(), ptr::from_ref).cast_mut();
        self.at.store(at, Ordering::Release); // ord: as above
        self.version.store(version + 2, Ordering::Release); // ord: publishes the fields
    }

    /// None: it changes just now, or it is another lock's by now.
    fn read(&self, number: u64) -> Option<Sight> {
        let version = self.version.load(Ordering::Acquire); // ord: the fields of this version
        let same = self.number.load(Ordering::Acquire) == number; // ord: before the second look
        let holder = Holder {
            id: self.id.load(Ordering::Acquire),              // ord: as above
            sched: self.sched.load(Ordering::Acquire),        // ord: as above
            at: location_of(self.at.load(Ordering::Acquire)), // ord: as above
        };
        let place = self.place.load(Ordering::Acquire); // ord: as above
        let again = self.version.load(Ordering::Relaxed); // ord: not before the fields
        (same && version == again && version.is_multiple_of(2)).then_some(Sight {
            holder,
            version,
            place,
        })
    }
}

impl Lot {
    /// A place for something that `holder` has used, or has a part of.
    pub fn new(holder: Holder) -> Lot {
        Lot::of_lock(holder, ptr::null())
    }

    /// A place for the lock at the address `place`, which `holder` holds.
    pub fn of_lock(holder: Holder, place: *const ()) -> Lot {
        let mut table = table();
        let index = table.free.pop().unwrap_or_else(|| {
            table.slots.push(Box::leak(Box::new(Slot {
                version: AtomicU64::new(0),
                number: AtomicU64::new(0),
                id: AtomicU64::new(0),
                sched: AtomicUsize::new(0),
                at: AtomicPtr::new(ptr::null_mut()),
                place: AtomicUsize::new(0),
            })));
            let index = table.slots.len() - 1;
            assert!((index as u64) < INDIRECT, "gmp: too many locks");
            index as u32
        });
        let slot = table.slots[index as usize];
        drop(table);
        let before = slot.number.load(Ordering::Relaxed); // ord: the table's lock
        // No task waits for a lock that is gone, so generations may go round.
        let generation = ((before >> 32) as u16).wrapping_add(1).max(1);
        let number = u64::from(generation) << 32 | u64::from(index);
        slot.place.store(place.addr(), Ordering::Relaxed); // ord: the number publishes it
        slot.write(number, holder);
        Lot { slot, number }
    }

    /// What a task that waits for the lock keeps in its park record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether a wait for the lock that is given up, with this waker, may still be in a
    /// task's park record afterwards: if it is not that task itself which gives it up.
    /// The lock needs another place then.
    pub fn is_stale(waker: &Waker) -> bool {
        !m::with_current(|m| m.is_some_and(|m| is_own(waker, m)))
    }

    /// The lock has another holder. Calls do not overlap.
    #[inline]
    pub fn held_by(&self, holder: Holder) {
        self.slot.write(self.number, holder);
    }
}

impl Drop for Lot {
    fn drop(&mut self) {
        self.held_by(Holder::NOBODY);
        let mut table = table();
        let index = self.number as u32;
        // A child of fork has a table of its own, and none of its parent's slots.
        let known = table.slots.get(index as usize);
        if known.is_some_and(|slot| ptr::eq(*slot, self.slot)) {
            table.free.push(index);
        }
    }
}

/// Who holds the lock with this number; none if it is gone.
pub(crate) fn sight(number: u64) -> Option<Sight> {
    let number = number & !INDIRECT;
    let slot = *table().slots.get(number as u32 as usize)?;
    // A slot that changes at each look is in use: there is no cycle through it.
    (0..4).find_map(|_| slot.read(number))
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::{Holder, Lot, sight};

    fn holder(id: u64) -> Holder {
        Holder {
            id,
            sched: 1,
            at: Some(Location::caller()),
        }
    }

    #[test]
    fn a_number_outlives_its_lock_and_names_no_other() {
        let first = Lot::new(holder(7));
        let number = first.number();
        let seen = sight(number).expect("it is there");
        assert_eq!(seen.holder.id_in(1), Some(7));
        assert_eq!(seen.holder.id_in(2), None);
        first.held_by(holder(8));
        let again = sight(number).expect("it is there");
        assert_eq!(again.holder.id_in(1), Some(8));
        assert_ne!(seen.version, again.version);
        drop(first);
        // Other tests take and leave places as well.
        let others: Vec<Lot> = (0..100).map(|_| Lot::new(Holder::NOBODY)).collect();
        assert!(
            others
                .iter()
                .all(|lot| lot.number() != number && lot.number() != 0)
        );
        let left = sight(number).map_or(Holder::NOBODY, |seen| seen.holder);
        assert_eq!(left, Holder::NOBODY);
    }

    /// A park record has room for 48 bits of a number.
    #[test]
    fn a_place_that_was_used_often_is_still_found() {
        for round in 0..70_000 {
            let lot = Lot::new(holder(round));
            let kept = lot.number() & 0xffff_ffff_ffff;
            let seen = sight(kept).expect("it is there");
            assert_eq!(seen.holder.id_in(1), Some(round).filter(|&id| id != 0));
        }
    }

    /// A reader never puts two holders together.
    #[test]
    fn a_look_is_of_one_moment() {
        let lot = Lot::new(Holder::NOBODY);
        let number = lot.number();
        let (one, two) = (
            holder(1),
            Holder {
                sched: 2,
                ..holder(2)
            },
        );
        let writer = std::thread::spawn(move || {
            for _ in 0..20_000 {
                lot.held_by(one);
                lot.held_by(two);
            }
            lot
        });
        while !writer.is_finished() {
            if let Some(seen) = sight(number) {
                let known = [Holder::NOBODY, one, two];
                assert!(known.contains(&seen.holder), "{seen:?}");
            }
        }
        drop(writer.join().expect("no panic"));
    }
}
