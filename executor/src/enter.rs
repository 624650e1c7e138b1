//! Which runtime is this thread's: the one whose task runs here, unless the task
//! has entered another one.
//!
//! A guard made in a task counts while that task runs on this thread, in this poll
//! or a later one. Another task's poll in between, that of a nested `block_on` for
//! one, has its own runtime. A guard made outside of tasks counts outside of tasks.

#![expect(unsafe_code, reason = "reads the running task's number")]

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use crate::handle::Handle;
use crate::m::{self, M};
use crate::sched::Sched;
use crate::sync::Arc;

thread_local! {
    static ENTERED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    /// How many entries there are: a spawn in a task looks at this word and, as a
    /// rule, no further.
    static GUARDS: Cell<u32> = const { Cell::new(0) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// A runtime that was entered, by the guard with this number.
struct Entry {
    id: u64,
    handle: Handle,
    /// None: outside of tasks.
    place: Option<Place>,
}

/// A task of a runtime. Both are compared only.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    sched: usize,
    goid: u64,
}

impl Place {
    fn of(m: &M) -> Place {
        // SAFETY: the running task outlives the call that it makes.
        let task = unsafe { m.curg.get().as_ref() };
        Place {
            sched: Arc::as_ptr(&m.sched).addr(),
            goid: task.map_or(0, |task| task.goid),
        }
    }
}

/// The runtime of this thread.
#[inline]
pub(crate) fn current() -> Option<Handle> {
    m::with_current(|m| match m {
        Some(m) if GUARDS.get() == 0 => Some(Handle::new(m.sched.clone())),
        Some(m) => entered(Some(Place::of(m))).or_else(|| Some(Handle::new(m.sched.clone()))),
        None => entered(None),
    })
}

/// Calls `f` with the runtime of this thread, or with the global one. In a task nothing
/// is counted: that would be two locked writes a spawn to a word which all Ms share.
#[inline]
#[track_caller]
pub(crate) fn with_current<R>(f: impl FnOnce(&Arc<Sched>) -> R) -> R {
    m::with_current(|m| {
        let counted;
        f(match m {
            Some(m) if GUARDS.get() == 0 => &m.sched,
            _ => {
                counted = Handle::current();
                counted.sched()
            }
        })
    })
}

/// The latest guard that counts. In the destructors of a thread that ends the list
/// is gone: none.
#[cold]
fn entered(place: Option<Place>) -> Option<Handle> {
    let find = |entries: &RefCell<Vec<Entry>>| {
        let entries = entries.borrow();
        let counts = |entry: &&Entry| place.is_none() || entry.place == place;
        let entry = entries.iter().rev().find(counts)?;
        Some(entry.handle.clone())
    };
    ENTERED.try_with(find).ok().flatten()
}

impl Handle {
    /// Makes this runtime the current one until the guard is dropped: the one of
    /// [`Handle::current`], of spawns, of new sockets and of `block_on`. Timers
    /// belong to the runtime that polls them, in any case.
    ///
    /// In a task the guard counts for this task alone, over the runtime that runs
    /// it. A `block_on` below it has the runtime that it was called on. Guards nest
    /// and may be dropped in any order: the latest one that is left counts.
    ///
    /// The guard is not `Send`, so a task that keeps it across an `.await` is one of
    /// `block_on` or `spawn_local`.
    ///
    /// Does nothing in the destructors of a thread that ends.
    ///
    /// ```
    /// use gmp_executor::{Builder, Handle};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let service = Builder::new().procs(1).build()?;
    /// let batch = Builder::new().procs(1).build()?;
    /// service.block_on(async {
    ///     let _batch = batch.enter();
    ///     assert!(Handle::current().same_runtime(batch.handle()));
    ///     gmp_executor::spawn(async { /* runs on `batch` */ });
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// ```compile_fail,E0277
    /// # let rt = gmp_executor::Runtime::new().unwrap();
    /// let handle = rt.handle().clone();
    /// rt.spawn(async move {
    ///     let _guard = handle.enter();
    ///     std::future::ready(()).await;
    /// });
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        let place = m::with_current(|m| m.map(Place::of));
        let id = NEXT.get() + 1;
        let enter = |entries: &RefCell<Vec<Entry>>| {
            let handle = self.clone();
            entries.borrow_mut().push(Entry { id, handle, place });
            NEXT.set(id);
            GUARDS.set(GUARDS.get() + 1);
            id
        };
        EnterGuard {
            id: ENTERED.try_with(enter).ok(),
            runtime: PhantomData,
            not_send: PhantomData,
        }
    }
}

/// Leaves a runtime when dropped; see [`Handle::enter`].
#[derive(Debug)]
#[must_use = "the runtime is left when the guard is dropped"]
pub struct EnterGuard<'a> {
    id: Option<u64>,
    runtime: PhantomData<&'a Handle>,
    // The list belongs to this thread.
    not_send: PhantomData<*const ()>,
}

impl Drop for EnterGuard<'_> {
    fn drop(&mut self) {
        let leave = |entries: &RefCell<Vec<Entry>>| {
            let mut entries = entries.borrow_mut();
            let at = entries
                .iter()
                .rposition(|entry| Some(entry.id) == self.id)?;
            GUARDS.set(GUARDS.get() - 1);
            Some(entries.remove(at))
        };
        // The last handle of a runtime may end here: outside the borrow.
        drop(ENTERED.try_with(leave));
    }
}
