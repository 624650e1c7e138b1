//! Tasks that are left over: a check for tests, in goleak's words, and a proof
//! for programs that run.
//!
//! A check of a test takes whatever is still there at its end, after some
//! patience, for a leak. A proof is more: a task that waits while no waker of it
//! exists can never run again, whoever wishes it to, since a new waker only comes
//! from another one or from a poll. [`Class`] says which of the two a task is.
//!
//! ```
//! use gmp_profiler::leak;
//!
//! gmp_executor::Handle::current().block_on(async {
//!     let check = leak::guard(leak::Options::new());
//!     gmp_executor::spawn(async { 7 }).await.expect("no panic");
//!     check.verify();
//! });
//! ```

mod growth;
mod options;
mod report;
mod whole;

use std::borrow::Borrow;
use std::thread;
use std::time::{Duration, Instant};

use gmp_executor::snapshot::TaskInfo;
use gmp_executor::{Handle, block_in_place, cycle, try_id};

use crate::profile::Profile;

pub use gmp_executor::cycle::{Cycle, Link};
pub use gmp_executor::snapshot::{Dropper, NAMES_DROPPERS};

pub use self::growth::{Growth, growth};
pub use self::options::Options;
pub use self::report::{Leak, Report};
pub(crate) use self::whole::never_mind;
pub use self::whole::{verify_at_exit, verify_main};

/// How certain it is that a task has leaked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// It is there, and nothing more is known: a waker of it exists, or it runs.
    Suspected,
    /// It waits, no waker of it exists, and a handle of it does: only an abort
    /// can end it. `pending()` with an abort handle is such a task, on purpose.
    Abortable,
    /// It waits for itself, in a circle of tasks that wait for each other's locks
    /// or ends, see [`cycles`]. Nothing can end it but an abort of one of them, or a
    /// guard that its task has given to somebody else.
    Cycle,
    /// It waits, and neither a waker nor a handle of it exists: a proven leak.
    /// Only the end of its runtime frees it.
    Unreachable,
}

impl Class {
    /// The class of a task of a snapshot, as far as it shows: a [`Class::Cycle`]
    /// needs a look at several tasks.
    pub fn of(task: &TaskInfo) -> Class {
        match (task.forgotten && !task.root, task.handles) {
            (false, _) => Class::Suspected,
            (true, 0) => Class::Unreachable,
            (true, _) => Class::Abortable,
        }
    }
}

/// The proven leaks of this thread's runtime at this moment: tasks that nothing
/// can wake and nobody can abort. The cost is that of a snapshot; there are no
/// false ones, except tasks whose wakers were leaked as raw pointers. Where
/// [`NAMES_DROPPERS`] holds, `dropped_by` of each task says who dropped its last waker;
/// without one, it waits for something that never took a waker.
///
/// ```
/// let handle = gmp_executor::Handle::current();
/// let id = handle.spawn(std::future::pending::<()>()).id().get();
/// while !gmp_profiler::leak::proven().iter().any(|task| task.id == id) {
///     std::thread::yield_now();
/// }
/// ```
pub fn proven() -> Profile {
    let mut tasks = crate::tasks();
    tasks.retain(|task| Class::of(task) == Class::Unreachable);
    tasks
}

/// The tasks of this thread's runtime that wait for each other in a circle: for
/// locks ([`Class::Cycle`]) or for each other's ends. Its `Display` names each task,
/// the place where it waits, and who holds the lock since where.
///
/// Only waits are followed whose holder is known: `Mutex`, `RwLock` for writers and
/// for its first reader, and `JoinHandle`. A circle is looked at twice, so one that is
/// told did stand. The holder of a lock is the task that awaited it in its own memory,
/// with no box between; circles through other guards are [`suspected_cycles`]. A guard
/// that borrows from a lock which was leaked can be sent to another task, and makes a
/// circle of what is none.
///
/// ```
/// use gmp_executor::{Handle, JoinHandle, block_in_place, spawn};
/// use gmp_profiler::leak;
///
/// # Handle::current().block_on(async {
/// let (tx, rx) = futures::channel::oneshot::channel::<JoinHandle<()>>();
/// let task = spawn(async move {
///     let own = rx.await.expect("sent");
///     drop(own.await);
/// });
/// let (id, abort) = (task.id().get(), task.abort_handle());
/// tx.send(task).expect("it listens");
/// let cycle = loop {
///     block_in_place(std::thread::yield_now);
///     if let Some(cycle) = leak::cycles().into_iter().find(|cycle| cycle.contains(id)) {
///         break cycle;
///     }
/// };
/// assert!(cycle.to_string().starts_with("# cycle: a goroutine waits for itself\n"));
/// abort.abort();
/// # });
/// ```
pub fn cycles() -> Vec<Cycle> {
    cycle::find(&Handle::current())
}

/// As [`cycles`], for circles that somebody outside might still open: one of the waits
/// is for a channel or a semaphore, or for a lock whose guard may be with another task by
/// now: an owned one, or one that was taken in a boxed future, of a `static` or by
/// `try_lock`. The edge goes to the task that used the other half of the channel last, or
/// the semaphore, or that took the guard: likely the one that is waited for, and no
/// proof. They are told in reports and dumps, apart; no check fails for one, and none is
/// a deadlock.
///
/// Uses of channels and semaphores are noted where [`watch_channels`] asked for it, and
/// in builds with debug assertions.
///
/// ```
/// use gmp_executor::{Handle, spawn};
/// use gmp_profiler::leak;
///
/// leak::watch_channels(true);
/// # Handle::current().block_on(async {
/// drop(spawn(async {}));
/// assert!(leak::suspected_cycles().is_empty());
/// # });
/// ```
pub fn suspected_cycles() -> Vec<Cycle> {
    cycle::suspected(&Handle::current())
}

/// Has uses of channels and semaphores noted from now on, or not, in the whole process:
/// for [`suspected_cycles`]. It costs some nanoseconds for each use.
pub fn watch_channels(on: bool) {
    gmp_executor::held::watch(on);
}

/// Looks for tasks of this thread's runtime that are left over, again and again
/// until there is none or the patience of `options` ends. The calling task and
/// the tasks of `block_on` do not count. Blocks the thread; in a task, the other
/// tasks go on.
///
/// # Errors
/// The tasks that are left.
pub fn find(options: &Options) -> Result<(), Report> {
    find_in(&Handle::current(), options)
}

/// As [`find`], in the runtime of `handle`.
///
/// # Errors
/// The tasks that are left.
pub fn find_in(handle: &Handle, options: &Options) -> Result<(), Report> {
    // None: too far away for a clock.
    let end = Instant::now().checked_add(options.patience);
    let mut pause = Duration::from_micros(1);
    loop {
        let leaks = look(handle, options);
        if leaks.is_empty() {
            return Ok(());
        }
        let rest = end.map_or(LONGEST_PAUSE, |end| {
            end.saturating_duration_since(Instant::now())
        });
        if rest.is_zero() {
            return Err(Report::new(handle, leaks));
        }
        block_in_place(|| thread::sleep(pause.min(rest)));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// goleak's longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// The tasks that are left over now.
fn look(handle: &Handle, options: &Options) -> Vec<Leak> {
    let own = try_id().map(|id| id.get());
    let here = Handle::try_current().is_ok_and(|current| current.same_runtime(handle));
    Profile::glance(handle)
        .iter()
        .filter(|task| !task.root && (!here || own != Some(task.id)))
        .filter(|task| !options.ignores(task))
        .map(|task| Leak {
            class: Class::of(task),
            task: task.clone(),
        })
        .filter(|leak| !options.only_proven || leak.class == Class::Unreachable)
        .collect()
}

/// As [`find`], for the end of a test. Takes [`Options`] or `&Options`.
///
/// # Panics
/// If tasks are left, with a report in goleak's words.
#[track_caller]
pub fn verify_none(options: impl Borrow<Options>) {
    verify(&Handle::current(), options.borrow());
}

#[track_caller]
fn verify(handle: &Handle, options: &Options) {
    let found = find_in(handle, options);
    options.clean_up();
    if let Err(report) = found {
        panic!("{report}");
    }
}

/// Checks, when it is dropped, that no task is left of those that were spawned
/// on this thread's runtime since now.
pub fn guard(options: Options) -> Guard {
    let handle = Handle::current();
    Guard {
        options: options.ignore_current_of(&handle),
        handle,
        verified: false,
    }
}

/// See [`guard`]. A guard that is dropped by a panic checks nothing.
#[derive(Debug)]
#[must_use = "a guard checks when it is dropped: bind it to a name"]
pub struct Guard {
    handle: Handle,
    options: Options,
    verified: bool,
}

impl Guard {
    /// Checks now instead.
    ///
    /// # Panics
    /// If tasks are left.
    #[track_caller]
    pub fn verify(mut self) {
        self.verified = true;
        verify(&self.handle, &self.options);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.verified && !thread::panicking() {
            verify(&self.handle, &self.options);
        }
    }
}
