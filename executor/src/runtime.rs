//! `Runtime`: the owner of a scheduler, and its end.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::enter::EnterGuard;
use crate::g::TaskRef;
use crate::g::join::{self, JoinHandle};
use crate::handle::Handle;
use crate::sched::{CLOSING, EXITING, OPEN, Sched};
use crate::sync::Arc;
use crate::syscall::block_in_place;
use crate::{aside, block_on, execute, fence, m, probe, proc, ready};

/// A running scheduler. Dropping it cancels its tasks and waits for its threads;
/// inside one of its own tasks, and while somebody has a task suspended, the end goes on
/// in the background.
///
/// # Fork
/// A child of fork has a copy of the runtime without its threads. There spawning,
/// `block_on`, timers and this handle's other calls panic and name the cure, and new
/// sockets are an error; dropping the copy, its sockets and its handles does nothing,
/// to the parent's least of all. The child may build a runtime of its own, and the
/// global one starts anew in it; `exec` needs nothing. A child that was forked in a
/// task must not return from it: it runs what it wants to run and exits.
pub struct Runtime {
    handle: Handle,
    ended: bool,
}

/// What a shutdown found; see [`Runtime::shutdown_timeout`].
#[derive(Debug, Default, Clone)]
pub struct ShutdownReport {
    /// Tasks that ended by themselves while the runtime shut down.
    pub finished: u64,
    /// Tasks that were dropped.
    pub cancelled: u64,
    /// Tasks whose poll did not return in time, as dumps show them, and those that
    /// somebody has suspended. They are dropped when it does, and when they are let go.
    pub still_running: Vec<String>,
}

impl Runtime {
    pub(crate) fn of(handle: Handle) -> Runtime {
        Runtime {
            handle,
            ended: false,
        }
    }

    /// A runtime with every knob at its default.
    ///
    /// # Errors
    /// Those of [`crate::Builder::build`].
    pub fn new() -> std::io::Result<Runtime> {
        crate::Builder::new().build()
    }

    /// The handle.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// See [`Handle::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on::block_on(self.handle.sched(), future, Location::caller())
    }

    /// See [`Handle::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        ready::spawn(self.handle.sched(), future, Location::caller(), None)
    }

    /// See [`Handle::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(f)
    }

    /// See [`Handle::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Cancels every task and waits until all are dropped, but not longer than
    /// `timeout`. A task that somebody has suspended is not waited for: when only such
    /// ones are left, the rest of the end goes on in the background. So does all of it
    /// inside one of its own tasks, and the report is empty.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> ShutdownReport {
        self.ended = true;
        // Durations up to the largest are legal; one that ends beyond the clock
        // never ends.
        let until = Instant::now().checked_add(timeout);
        shutdown(self.handle.sched(), Wait::Until(until))
    }

    /// Cancels every task and does not wait.
    pub fn shutdown_background(mut self) {
        self.ended = true;
        shutdown(self.handle.sched(), Wait::Not);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.ended {
            shutdown(self.handle.sched(), Wait::Until(None));
        }
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Runtime").field(&self.handle).finish()
    }
}

enum Wait {
    Not,
    Until(Option<Instant>),
}

/// No more spawns; every task is on its way to its end.
pub(crate) fn close(sched: &Arc<Sched>) {
    let before = sched.enter_phase(CLOSING);
    fence::heavy_fence();
    if before == OPEN {
        abort_all(sched);
        aside::flush(sched);
    }
}

/// Aborts every listed task that ends with the runtime; those that were waiting are
/// queued for their end.
fn abort_all(sched: &Arc<Sched>) {
    let mut woken: Vec<TaskRef> = Vec::new();
    sched.registry.for_each(|header, reference| {
        if execute::ends_with_it(sched, header) {
            woken.push(reference());
        }
    });
    for task in woken {
        join::abort(task.ptr());
    }
    proc::wake_p(sched);
}

fn shutdown(sched: &Arc<Sched>, wait: Wait) -> ShutdownReport {
    // The tasks and threads are the parent's, and stay with it.
    if sched.is_elsewhere() {
        return ShutdownReport::default();
    }
    let finished = |sched: &Sched| sched.ended_tasks();
    let (before, cancelled) = (finished(sched), sched.cancelled.get());
    close(sched);
    let inside = m::serves(sched);
    let until = match wait {
        // One of the tasks that must end is waiting for the end.
        Wait::Until(_) if inside => {
            background(sched);
            return ShutdownReport::default();
        }
        Wait::Not => {
            background(sched);
            return ShutdownReport::default();
        }
        Wait::Until(until) => until,
    };
    let gone = block_in_place(|| {
        wait_for_tasks(sched, || {
            until.is_some_and(|until| Instant::now() >= until) || only_suspended(sched)
        })
    });
    let still_running = if gone {
        Vec::new()
    } else {
        [sched.running_dump(), sched.suspended.dump()].concat()
    };
    if gone {
        block_in_place(|| end_threads(sched));
    } else {
        background(sched);
    }
    let dropped = sched.cancelled.get() - cancelled;
    ShutdownReport {
        finished: (finished(sched) - before).saturating_sub(dropped),
        cancelled: dropped,
        still_running,
    }
}

/// The rest of a shutdown on a thread of its own.
fn background(sched: &Arc<Sched>) {
    let thread = std::thread::Builder::new()
        .name("gmp-shutdown".to_owned())
        .spawn({
            let sched = sched.clone();
            gmp_reactor::starting(move || {
                wait_for_tasks(&sched, || false);
                end_threads(&sched);
            })
        });
    if let Err(error) = thread {
        // The tasks are cancelled all the same; the idle threads stay.
        tracing::warn!(target: "gmp::runtime", %error, "no thread for the rest of a shutdown");
    }
}

/// Whether suspenders have all tasks that are left: they may be waiting for the end that
/// waits for them. The living are counted first, of which there are no more by now.
fn only_suspended(sched: &Sched) -> bool {
    let living = sched.live_tasks();
    living != 0 && living == sched.suspended.len()
}

/// Waits until every task is dropped. False: the caller has given up.
fn wait_for_tasks(sched: &Sched, gives_up: impl Fn() -> bool) -> bool {
    let mut nap = Duration::from_micros(20);
    while sched.live_tasks() != 0 {
        if gives_up() {
            return false;
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(2));
    }
    true
}

/// Every task is gone: Ms and sysmon end, and are waited for.
fn end_threads(sched: &Arc<Sched>) {
    let (idle, threads) = {
        let mut guard = sched.lock();
        sched.enter_phase(EXITING); // under the lock: stop_m reads it there
        (
            std::mem::take(&mut guard.inner.midle),
            std::mem::take(&mut guard.inner.threads),
        )
    };
    for mp in idle {
        mp.start_with(None, false);
    }
    sched.evict_timers();
    // Calls wakers, which may be anybody's.
    probe::contain(|| sched.reactor.close());
    sched.reactor.wake();
    sched.sysmon_note.wake();
    let me = std::thread::current().id();
    for thread in threads {
        if thread.thread().id() != me && thread.join().is_err() {
            tracing::error!(target: "gmp::runtime", "a thread of the runtime panicked");
        }
    }
}
