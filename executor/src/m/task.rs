//! What an M tells of the task in its poll, to its own thread and to others.

#![expect(unsafe_code, reason = "follows the pointer to the running task")]

use std::panic::Location;
use std::ptr;

use super::{M, MShared};
use crate::g::Header;
use crate::leaf;
use crate::sync::{Arc, AtomicPtr, Ordering, spin_hint};

/// The task that an M polls. Its thread alone writes; a snapshot reads as well.
#[derive(Debug)]
pub(crate) struct CurG(AtomicPtr<Header>);

impl CurG {
    pub(super) fn new() -> CurG {
        CurG(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(crate) fn get(&self) -> *const Header {
        self.0.load(Ordering::Relaxed) // ord: own word
    }

    #[inline]
    pub(crate) fn set(&self, task: *const Header) {
        self.0.store(task.cast_mut(), Ordering::Relaxed); // ord: begin_poll publishes it
    }
}

impl M {
    /// The task in its poll. Not to be kept beyond it.
    #[inline]
    pub(crate) fn running(&self) -> Option<&Header> {
        // SAFETY: the running task outlives its poll, and this is its thread.
        unsafe { self.curg.get().as_ref() }
    }

    /// The labels of the task in its poll, at this moment.
    #[inline]
    pub(crate) fn labels(&self) -> u16 {
        // SAFETY: as above.
        unsafe { self.curg.get().as_ref() }.map_or(0, |header| header.park.labels())
    }

    /// What tells this runtime from others.
    #[inline]
    pub(crate) fn sched_addr(&self) -> usize {
        Arc::as_ptr(&self.sched).addr()
    }

    /// Before the first poll, where the M stays.
    pub(super) fn publish_curg(&self) {
        let curg = ptr::from_ref(&self.curg).cast_mut();
        self.shared.polled.store(curg, Ordering::Relaxed); // ord: begin_poll publishes it
    }
}

impl MShared {
    /// Whether it polls the task `id` now.
    pub(crate) fn polls(&self, id: u64) -> bool {
        self.goid.load(Ordering::Acquire) == id // ord: sees where it went before
    }

    /// Somebody has a task for this M that it is to poll without a P: dumps and a
    /// stopped clock must not miss it on its way.
    pub(crate) fn is_to_poll(&self, header: &Header) {
        let site = ptr::from_ref(header.spawn_loc).cast_mut();
        self.spawn_loc.store(site, Ordering::Relaxed); // ord: for people
        self.goid.store(header.goid, Ordering::Release); // ord: before the P goes
    }

    /// Whether it is in a blocking section.
    pub(crate) fn blocks(&self) -> bool {
        self.syscalls.load(Ordering::Relaxed) > 0 // ord: hint
    }

    /// Where its blocking section was called; None: it is in none.
    pub(crate) fn section(&self) -> Option<&'static Location<'static>> {
        // ord: the place comes with the count
        let blocks = self.syscalls.load(Ordering::Acquire) > 0;
        let at = self.section.load(Ordering::Relaxed); // ord: as above
        leaf::location_of(at).filter(|_| blocks)
    }

    /// Calls `look` with the task that it polls while the world stands still. None: it
    /// polls nothing, or is in the runtime's code for longer than one may wait.
    ///
    /// A poll that goes on in a stopped world has no P, and at its end takes the lock of
    /// `Sched::allm` before anything becomes of its task (`M::forget_p`): so that the
    /// task, and the M, stay where they are for as long as the caller has the lock.
    ///
    /// # Safety
    /// The caller has stopped the world, and after that locked `Sched::allm`.
    pub(crate) unsafe fn look_at_poll<R>(&self, look: impl FnOnce(&Header) -> R) -> Option<R> {
        const PATIENCE: u32 = 1000;
        let mut looks = 0..PATIENCE;
        // Calls into the runtime are short.
        while !self.fence.is_out() {
            looks.next()?;
            spin_hint();
        }
        // ord: is_out has seen the beginning of the poll, and what came before
        let curg = self.polled.load(Ordering::Relaxed);
        // SAFETY: an M is not dropped in a poll, which cannot end now.
        let task = unsafe { curg.as_ref() }?.get();
        // SAFETY: as above: the task of a poll lives until that has ended.
        unsafe { task.as_ref() }.map(look)
    }
}
