//! `Handle`: the way to a runtime from anywhere, and the global runtime.

use std::io;
use std::panic::Location;

use gmp_reactor::{Reactor, Source};

use crate::block_on;
use crate::builder::Builder;
use crate::enter;
use crate::fork::Process;
use crate::g::{Extra, join::JoinHandle};
use crate::metrics::Metrics;
use crate::probe;
use crate::ready;
use crate::sched::{STACKS, Sched};
use crate::stw;
use crate::sync::{Arc, Weak, lock};

/// Lists a runtime that has just started, and forgets those that are gone.
pub(crate) fn enlist(sched: &Arc<Sched>) {
    let mut runtimes = lock(&Process::here().runtimes);
    runtimes.retain(|sched| sched.strong_count() > 0);
    runtimes.push(Arc::downgrade(sched));
    // Under the lock: whoever switches them on just now has done so, or finds it listed.
    sched.set_watched(STACKS, probe::wants_stacks());
}

/// Whether leaves note their stacks, in every runtime. Returns whether they did.
pub(crate) fn want_stacks(on: bool) -> bool {
    let before = probe::want_stacks(on);
    let runtimes = lock(&Process::here().runtimes);
    for sched in runtimes.iter().filter_map(Weak::upgrade) {
        sched.set_watched(STACKS, on);
    }
    before
}

/// A reference to a runtime. Cheap to clone; it does not keep the runtime's
/// tasks alive once the [`Runtime`](crate::Runtime) is dropped.
#[derive(Clone)]
pub struct Handle {
    sched: Arc<Sched>,
}

impl Handle {
    pub(crate) fn new(sched: Arc<Sched>) -> Handle {
        Handle { sched }
    }

    /// The runtime of this thread: the one that the task which runs here has
    /// entered, else the task's own; outside of tasks the one that was entered, else
    /// the global one, which is started on first use.
    ///
    /// # Panics
    /// If the global runtime is needed and cannot be started (`GMP_PROCS` is not
    /// a number, the system has no descriptors left).
    #[track_caller]
    pub fn current() -> Handle {
        Handle::try_current().unwrap_or_else(|_| Handle::global())
    }

    /// The runtime of this thread.
    ///
    /// # Errors
    /// If no task runs here and no runtime was entered.
    pub fn try_current() -> Result<Handle, TryCurrentError> {
        enter::current().ok_or(TryCurrentError(()))
    }

    /// The global runtime. Each process has its own: in a child of fork it starts
    /// anew.
    ///
    /// # Panics
    /// If it cannot be started.
    #[track_caller]
    pub fn global() -> Handle {
        Process::here()
            .global
            .get_or_init(|| match Builder::new().build() {
                Ok(runtime) => runtime,
                Err(error) => panic!(
                    "the global gmp runtime cannot start: {error}; build a Runtime of your own to \
                     handle this error"
                ),
            })
            .handle()
            .clone()
    }

    /// The runtimes of this process that have not shut down, or have tasks left, in
    /// the order in which they started.
    pub fn all() -> Vec<Handle> {
        let runtimes = lock(&Process::here().runtimes).clone();
        let alive = |sched: &Arc<Sched>| !sched.is_closing() || sched.live_tasks() > 0;
        let runtimes = runtimes.iter().filter_map(Weak::upgrade).filter(alive);
        runtimes.map(Handle::new).collect()
    }

    /// The runtime with this [`Sched::number`], if there still is one.
    pub(crate) fn numbered(number: usize) -> Option<Handle> {
        let runtimes = lock(&Process::here().runtimes).clone();
        let mut found = runtimes.iter().filter_map(Weak::upgrade);
        found
            .find(|sched| sched.number() == number)
            .map(Handle::new)
    }

    pub(crate) fn sched(&self) -> &Arc<Sched> {
        &self.sched
    }

    /// The clock of this thread's runtime, without starting one.
    pub(crate) fn now_here() -> u64 {
        match Handle::try_current()
            .ok()
            .or_else(|| Process::here().global.get().map(|rt| rt.handle().clone()))
        {
            Some(handle) => handle.sched.nanotime(),
            None => crate::clock::nanotime(),
        }
    }

    /// Spawns a task on this runtime.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        ready::spawn(&self.sched, future, Location::caller(), None)
    }

    /// Spawns a task with a name for dumps.
    #[track_caller]
    pub fn spawn_named<F>(&self, name: &str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let extra = Extra {
            name: Some(name.into()),
            ..Extra::default()
        };
        ready::spawn(
            &self.sched,
            future,
            Location::caller(),
            Some(Box::new(extra)),
        )
    }

    /// Runs `future` on this thread until it ends; the runtime serves its tasks
    /// meanwhile. Allowed anywhere, inside a task too: its P goes on elsewhere.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on::block_on(&self.sched, future, Location::caller())
    }

    /// How many Ps the runtime has.
    pub fn procs(&self) -> usize {
        self.sched.procs() as usize
    }

    /// Changes the number of Ps, clamped to 1..=1024, and returns the former
    /// one. The world stops for some microseconds.
    #[track_caller]
    pub fn set_procs(&self, n: usize) -> usize {
        let n = u32::try_from(n)
            .unwrap_or(u32::MAX)
            .clamp(1, crate::sched::MAX_PROCS as u32);
        // From now on the user decides, not the machine's limits (L-22).
        self.sched.fix_procs();
        stw::set_procs(&self.sched, n) as usize
    }

    /// Tasks that were spawned and have not ended. Whoever awaits a task may be told of its
    /// end a moment before it is counted.
    pub fn num_tasks(&self) -> usize {
        usize::try_from(self.sched.live_tasks()).unwrap_or(usize::MAX)
    }

    /// A consistent look at the scheduler.
    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.sched)
    }

    /// The netpoller.
    pub fn reactor(&self) -> &Arc<Reactor> {
        &self.sched.reactor
    }

    /// Registers a descriptor with the netpoller.
    ///
    /// # Errors
    /// The system's: `EPERM` for a regular file, `EEXIST` for one that is
    /// registered already, `ENOSPC`, `ENOMEM`.
    ///
    /// # Safety
    /// The source must be dropped before the descriptor is closed.
    #[expect(
        unsafe_code,
        reason = "passes the reactor's contract on to the owner of the descriptor"
    )]
    pub unsafe fn open(&self, fd: std::os::fd::BorrowedFd<'_>) -> io::Result<Source> {
        // SAFETY: the caller's promise is the reactor's.
        let source = unsafe { self.sched.reactor.open(fd) }?;
        self.sched.source_added();
        Ok(source)
    }

    /// Whether both name the same runtime.
    pub fn same_runtime(&self, other: &Handle) -> bool {
        Arc::ptr_eq(&self.sched, &other.sched)
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("procs", &self.procs())
            .finish_non_exhaustive()
    }
}

/// No runtime on this thread: see [`Handle::try_current`].
#[derive(Debug)]
pub struct TryCurrentError(());

impl std::fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this thread runs no gmp task and has entered no gmp runtime")
    }
}

impl std::error::Error for TryCurrentError {}

/// Spawns a task: on the runtime of this thread, else on the global one.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let location = Location::caller();
    enter::with_current(|sched| ready::spawn(sched, future, location, None))
}
