//! The part of a task that does not depend on its future.

#![expect(unsafe_code, reason = "owns the counted pointer to a task")]

use std::panic::Location;
use std::ptr::NonNull;
use std::task::Context;

use crate::m::MShared;
use crate::probe::ParkRecord;
use crate::runq::Item;
use crate::sched::Sched;
use crate::sync::{Arc, AtomicU32};

use super::refs::{Refs, Released};
use super::state::State;
use super::waker::JoinSlot;

/// At most 96 bytes; a test holds it to that.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) state: State,
    /// Place in the registry, 0 while the task has never parked.
    pub(crate) slot: AtomicU32,
    pub(crate) refs: Refs,
    pub(crate) vtable: &'static VTable,
    /// The runtime. Valid while the task is not dead: shutdown waits for every
    /// task that is not.
    pub(crate) sched: NonNull<Sched>,
    pub(crate) goid: u64,
    pub(crate) spawn_loc: &'static Location<'static>,
    pub(crate) park: ParkRecord,
    /// Rare properties, fixed at spawn.
    pub(crate) extra: Option<Box<Extra>>,
    /// See the table in `g.rs`.
    pub(super) join_waker: JoinSlot,
}

/// What few tasks have.
#[derive(Default)]
pub(crate) struct Extra {
    pub(crate) name: Option<Box<str>>,
    /// The labels that it inherited: each of its polls begins with them.
    pub(crate) labels: u16,
    /// The only M that may poll this task (R-P-11).
    pub(crate) home: Option<Arc<MShared>>,
    /// A task of the runtime itself: not counted, not shown (R-G-15).
    pub(crate) system: bool,
}

/// What depends on the future's type.
pub(crate) struct VTable {
    /// Polls; true: ended, the output is stored and the future dropped.
    pub(crate) poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future and stores the cancelled error.
    pub(crate) cancel: unsafe fn(NonNull<Header>),
    /// Moves the output to the pointer's place.
    pub(crate) take_output: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the output, if it is still there.
    pub(crate) drop_output: unsafe fn(NonNull<Header>),
    /// Frees the allocation.
    pub(crate) dealloc: unsafe fn(NonNull<Header>),
    /// The future's type name.
    pub(crate) type_name: fn() -> &'static str,
    /// Bytes of the whole allocation.
    pub(crate) size: usize,
    /// Whether it is a closure of `spawn_blocking`: who awaits it is told so.
    pub(crate) blocks: bool,
}

impl Header {
    /// The task that spawned it; 0: none.
    pub(crate) fn parent(&self) -> u64 {
        self.park.parent()
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.extra.as_ref().and_then(|extra| extra.name.as_deref())
    }

    /// The labels that its polls begin with.
    pub(crate) fn own_labels(&self) -> u16 {
        self.extra.as_ref().map_or(0, |extra| extra.labels)
    }

    pub(crate) fn home(&self) -> Option<&Arc<MShared>> {
        self.extra.as_ref().and_then(|extra| extra.home.as_ref())
    }

    /// The address of the task that joins this one, if one of ours does.
    pub(crate) fn joiner(&self) -> usize {
        self.join_waker.joiner()
    }

    /// Whether `place` is in the allocation of the task: what is pinned there stays with
    /// it until it is dropped there.
    #[inline]
    pub(crate) fn has(&self, place: *const ()) -> bool {
        place.addr().wrapping_sub(std::ptr::from_ref(self).addr()) < self.vtable.size
    }

    /// Wakers and handles now, without the handle that the thread of a local task
    /// keeps for its own use.
    pub(crate) fn counts(&self) -> (u32, u32) {
        let (wakers, handles) = self.refs.counts();
        let own = u32::from(self.home().is_some() && !self.is_system());
        (wakers, handles.saturating_sub(own))
    }

    /// The root of a `block_on` is not dropped by a shutdown: somebody waits for it
    /// on its own stack.
    pub(crate) fn is_root(&self) -> bool {
        self.home().is_some() && self.is_system()
    }

    pub(crate) fn is_system(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.system)
    }
}

/// Frees a task whose last reference is gone.
///
/// # Safety
/// `header` is a task and the caller's release returned `Free`.
pub(super) unsafe fn free(header: NonNull<Header>) {
    // SAFETY: the header is alive until dealloc.
    let dealloc = unsafe { header.as_ref() }.vtable.dealloc;
    // SAFETY: nobody else has a reference.
    unsafe { dealloc(header) }
}

/// The right to run a runnable task. Not counted: the task's own life keeps it.
///
/// Dropping it would lose the task, so it has no `Drop` and is `#[must_use]`
/// wherever it is returned.
#[derive(PartialEq, Eq)]
pub(crate) struct ReadyG(NonNull<Header>);

// SAFETY: the state word hands the future from thread to thread; a `ReadyG` is
// the token of that hand-over. A task whose future is not Send has a home M, and
// only that M polls or drops it.
unsafe impl Send for ReadyG {}

impl ReadyG {
    /// # Safety
    /// The caller won edge 1 or 6 of the task's state, or got the pointer from
    /// [`ReadyG::into_ptr`].
    pub(crate) unsafe fn from_ptr(header: NonNull<Header>) -> ReadyG {
        ReadyG(header)
    }

    pub(crate) fn into_ptr(self) -> NonNull<Header> {
        self.0
    }

    pub(crate) fn as_ptr(&self) -> NonNull<Header> {
        self.0
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: a runnable task is not dead, so its memory is there.
        unsafe { self.0.as_ref() }
    }
}

// SAFETY: the pointer goes in and out unchanged and is never null.
unsafe impl Item for ReadyG {
    fn into_raw(self) -> *mut () {
        self.0.as_ptr().cast()
    }

    unsafe fn from_raw(raw: *mut ()) -> ReadyG {
        // SAFETY: the caller passes what into_raw gave: never null.
        ReadyG(unsafe { NonNull::new_unchecked(raw.cast()) })
    }
}

impl std::fmt::Debug for ReadyG {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "G{} [{:?}]", self.header().goid, self.header().state)
    }
}

/// A counted reference (a handle) to a task of any type.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: a `TaskRef` reaches atomics and fields that are fixed at spawn only.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// Counts a new reference.
    ///
    /// # Safety
    /// `header` is alive now.
    pub(crate) unsafe fn new(header: NonNull<Header>) -> TaskRef {
        // SAFETY: alive now, by contract.
        unsafe { header.as_ref() }.refs.add_handle();
        TaskRef(header)
    }

    /// Takes over a handle count.
    ///
    /// # Safety
    /// The caller owns one and gives it up.
    pub(super) unsafe fn from_counted(header: NonNull<Header>) -> TaskRef {
        TaskRef(header)
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: counted.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn ptr(&self) -> NonNull<Header> {
        self.0
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> TaskRef {
        // SAFETY: counted, so alive.
        unsafe { TaskRef::new(self.0) }
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        if self.header().refs.drop_handle() == Released::Free {
            // SAFETY: the release said so.
            unsafe { free(self.0) }
        }
    }
}

impl std::fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "G{} [{:?}]", self.header().goid, self.header().state)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_stays_within_96_bytes() {
        assert!(
            size_of::<super::Header>() <= 96,
            "{}",
            size_of::<super::Header>()
        );
    }
}
