//! The waker of a task, and the recognition of our own wakers in a list.

#![expect(unsafe_code, reason = "implements the RawWaker contract")]

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::sched::Sched;
use crate::sync::{AtomicPtr, Ordering};
use crate::{m, orphan, probe, ready, stacks};

use super::header::{self, Header, ReadyG};
use super::refs::Released;
use super::state::OnWake;

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A waker for one poll: borrowed from the running task, so not counted.
pub(crate) fn borrowed(header: NonNull<Header>) -> ManuallyDrop<Waker> {
    // SAFETY: the vtable's functions take a task pointer, and the poll that uses
    // this waker keeps the task.
    ManuallyDrop::new(unsafe { Waker::new(header.as_ptr().cast_const().cast(), &VTABLE) })
}

/// The task of a waker, if it is one of ours.
pub(crate) fn task_of(waker: &Waker) -> Option<NonNull<Header>> {
    if std::ptr::eq(waker.vtable(), &raw const VTABLE) {
        NonNull::new(waker.data().cast_mut().cast())
    } else {
        None
    }
}

/// A waker in one word. Most tasks are joined by tasks, whose vtable need not be
/// kept with each; a waker of somebody else's lies in a box, told by the lowest bit
/// of its address.
pub(super) struct SlimWaker(NonNull<()>);

const BOXED: usize = 1;

impl SlimWaker {
    pub(super) fn new(waker: Waker) -> SlimWaker {
        if let Some(task) = task_of(&waker) {
            let _kept = ManuallyDrop::new(waker); // its count is ours now
            return SlimWaker(task.cast());
        }
        // SAFETY: a Box is never null.
        let boxed = unsafe { NonNull::new_unchecked(Box::into_raw(Box::new(waker))) };
        SlimWaker(boxed.cast().map_addr(|addr| addr | BOXED))
    }

    pub(super) fn will_wake(&self, waker: &Waker) -> bool {
        match self.boxed() {
            // SAFETY: made from a Box by `new` and not yet taken apart.
            Some(boxed) => unsafe { boxed.as_ref() }.will_wake(waker),
            None => task_of(waker).is_some_and(|task| task.cast() == self.0),
        }
    }

    pub(super) fn into_waker(self) -> Waker {
        let this = ManuallyDrop::new(self);
        match this.boxed() {
            // SAFETY: as in will_wake; `this` is not used again.
            Some(boxed) => *unsafe { Box::from_raw(boxed.as_ptr()) },
            // SAFETY: `new` kept the count of a waker with this vtable.
            None => unsafe { Waker::new(this.0.as_ptr().cast_const(), &VTABLE) },
        }
    }

    fn boxed(&self) -> Option<NonNull<Waker>> {
        let addr = self.0.addr().get();
        if addr & BOXED == 0 {
            return None;
        }
        NonNull::new(self.0.as_ptr().map_addr(|addr| addr & !BOXED).cast())
    }
}

impl Drop for SlimWaker {
    fn drop(&mut self) {
        drop(SlimWaker(self.0).into_waker());
    }
}

/// The place of a joiner's waker. Whose it is, the state word says; anybody may ask
/// whether a certain task's waker is in it.
pub(super) struct JoinSlot(AtomicPtr<()>);

impl JoinSlot {
    pub(super) fn new() -> JoinSlot {
        JoinSlot(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Takes out what is in it and puts `waker` in its place.
    ///
    /// # Safety
    /// The slot is the caller's.
    pub(super) unsafe fn replace(&self, waker: Option<SlimWaker>) -> Option<SlimWaker> {
        let new = waker.map_or(std::ptr::null_mut(), |waker| {
            ManuallyDrop::new(waker).0.as_ptr()
        });
        let old = self.0.load(Ordering::Relaxed); // ord: the state word hands the slot over
        self.0.store(new, Ordering::Relaxed); // ord: as above
        NonNull::new(old).map(SlimWaker)
    }

    /// Whether `waker` is in it already.
    ///
    /// # Safety
    /// As [`JoinSlot::replace`].
    pub(super) unsafe fn will_wake(&self, waker: &Waker) -> bool {
        let word = NonNull::new(self.0.load(Ordering::Relaxed)); // ord: as replace
        word.is_some_and(|word| ManuallyDrop::new(SlimWaker(word)).will_wake(waker))
    }

    /// The address of the task whose waker is in it, or some other number.
    pub(super) fn joiner(&self) -> usize {
        self.0.load(Ordering::Relaxed).addr() // ord: a number to compare
    }
}

impl Drop for JoinSlot {
    fn drop(&mut self) {
        // SAFETY: nobody else has a reference.
        drop(unsafe { self.replace(None) });
    }
}

/// Wakes a task of `sched` whose waker came out of its netpoller or of a timer
/// heap, without queueing it: the right to run it comes back, if this wake won
/// it. Any other waker comes back itself: a sleep or a socket may have moved to a
/// task of another runtime, whose queues are not ours.
pub(crate) fn wake_unqueued(sched: &Sched, waker: Waker) -> Result<Option<ReadyG>, Waker> {
    let task = task_of(&waker).filter(|task| {
        // SAFETY: the waker is counted. The runtime is compared, not used.
        std::ptr::eq(unsafe { task.as_ref() }.sched.as_ptr(), sched)
    });
    let Some(task) = task else {
        return Err(waker);
    };
    // SAFETY: the waker is counted.
    let header = unsafe { task.as_ref() };
    probe::before_change(header);
    let won = header.state.wake() == OnWake::Enqueue;
    // The waker goes after the state change; if it won, the task is alive and
    // this is not the last reference.
    drop(waker);
    // SAFETY: this thread won edge 6.
    Ok(won.then(|| unsafe { ReadyG::from_ptr(task) }))
}

fn task(data: *const ()) -> NonNull<Header> {
    // SAFETY: every waker of this vtable holds a task pointer.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    let task = task(data);
    // SAFETY: the waker that is cloned keeps the task.
    unsafe { task.as_ref() }.refs.add_waker();
    if probe::wants_stacks_of_clones() {
        return noted(data);
    }
    RawWaker::new(data, &VTABLE)
}

/// The clone of a waker for somebody whose stack is wanted.
#[cold]
fn noted(data: *const ()) -> RawWaker {
    stacks::waker_cloned(task(data));
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake_by_ref(data: *const ()) {
    let task = task(data);
    // A task that wakes itself needs no atomic at all: its own M looks at the
    // mark when the poll returns.
    if m::note_self_wake(task) {
        return;
    }
    // SAFETY: the waker keeps the task during this call.
    let header = unsafe { task.as_ref() };
    probe::before_change(header);
    if header.state.wake() == OnWake::Enqueue {
        // SAFETY: this thread won edge 6.
        ready::ready(unsafe { ReadyG::from_ptr(task) });
    }
}

unsafe fn wake(data: *const ()) {
    // SAFETY: same contract.
    unsafe { wake_by_ref(data) };
    // SAFETY: `wake` consumes the waker.
    unsafe { drop_waker(data) };
}

unsafe fn drop_waker(data: *const ()) {
    let task = task(data);
    // SAFETY: this waker's reference is still counted.
    let header = unsafe { task.as_ref() };
    let released = if orphan::ON {
        header
            .refs
            .drop_waker_watched(|| orphan::last_waker_goes(header))
    } else {
        header.refs.drop_waker()
    };
    if released == Released::Free {
        // SAFETY: the release said so.
        unsafe { header::free(task) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::SlimWaker;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_foreign_waker_survives_the_box() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(count.clone());
        let slim = SlimWaker::new(waker.clone());
        assert!(slim.will_wake(&waker));
        assert!(!slim.will_wake(Waker::noop()));
        slim.into_waker().wake();
        drop(SlimWaker::new(waker));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&count), 1);
    }
}
