//! Stopping one task so that somebody can look at it (R-SUSPEND-1…3).
//!
//! A task that waits or is queued is the suspender's at once; one that runs is
//! asked to stop at its next safe-point and has until the deadline. A poll cannot
//! be abandoned, so there may be no such point in time. A wake during the
//! suspension is kept and takes effect when it ends, and so does an abort. A shutdown
//! does not wait for suspenders: what they have is dropped when they let it go.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::g::state::{OnSuspend, OnWake};
use crate::g::{Header, TaskRef};
use crate::handle::Handle;
use crate::ready;
use crate::sched::Sched;
use crate::sync::{Arc, Mutex, lock};
use crate::syscall::block_in_place;
use crate::{m, preempt, probe, snapshot, stw};

/// The tasks of a runtime that suspenders have.
#[derive(Debug, Default)]
pub(crate) struct List(Mutex<Vec<(u64, &'static Location<'static>)>>);

impl List {
    /// Without roots, for which a shutdown does not wait.
    fn add(&self, task: &Header) {
        if !task.is_root() {
            lock(&self.0).push((task.goid, task.spawn_loc));
        }
    }

    fn remove(&self, task: &Header) {
        lock(&self.0).retain(|&(id, _)| id != task.goid);
    }

    pub(crate) fn len(&self) -> u64 {
        lock(&self.0).len() as u64
    }

    /// Each as dumps show it.
    pub(crate) fn dump(&self) -> Vec<String> {
        let each = |&(id, at): &(u64, &'static Location<'static>)| {
            format!("goroutine {id} [waiting (scan)]:\ncreated at {at}")
        };
        lock(&self.0).iter().map(each).collect()
    }
}

/// A task that nobody runs while this exists. Dropping it lets the task go on.
pub struct Suspended {
    /// With its runtime; None: it had ended.
    held: Option<(Arc<Sched>, TaskRef)>,
    stopped: bool,
}

impl Suspended {
    /// Whether the task had ended: there is nothing to resume.
    pub fn dead(&self) -> bool {
        self.held.is_none()
    }

    /// Whether the task was running and stopped for us.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// The task's id; None if it had ended.
    pub fn id(&self) -> Option<u64> {
        self.held.as_ref().map(|(_, task)| task.header().goid)
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        let Some((sched, task)) = self.held.take() else {
            return;
        };
        sched.suspended.remove(task.header());
        probe::before_change(task.header());
        if task.header().state.resume(self.stopped) == OnWake::Enqueue {
            ready::ready_won(&task);
        }
    }
}

impl std::fmt::Debug for Suspended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suspended")
            .field("id", &self.id())
            .field("dead", &self.dead())
            .field("stopped", &self.stopped)
            .finish()
    }
}

/// The task did not stop in time: it is inside a poll that reached no safe-point,
/// in a blocking section, or another suspender has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillRunning {
    /// The task's id.
    pub id: u64,
    /// Whether it is in a blocking section.
    pub blocking: bool,
}

impl std::fmt::Display for StillRunning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.blocking {
            "is in a blocking section"
        } else {
            "reached no safe-point"
        };
        write!(f, "task {} {what} before the deadline", self.id)
    }
}

impl std::error::Error for StillRunning {}

/// Suspends the task `id` of `handle`'s runtime. It blocks the thread for at most
/// `deadline`; inside a task that is a blocking section, so two tasks that
/// suspend each other both come back.
///
/// A task that has never waited is on no list; to find it, the world stops for
/// some microseconds.
///
/// # Errors
/// [`StillRunning`] if it did not stop in time. A number that is no task's gives
/// a suspension of a dead one.
pub fn suspend(handle: &Handle, id: u64, deadline: Duration) -> Result<Suspended, StillRunning> {
    let sched = handle.sched().clone();
    let until = Instant::now().checked_add(deadline);
    block_in_place(|| try_until(&sched, id, until))
}

fn try_until(
    sched: &Arc<Sched>,
    id: u64,
    until: Option<Instant>,
) -> Result<Suspended, StillRunning> {
    let mut nap = Duration::from_micros(5);
    // Once found it is not searched for again: while it runs, one that has never
    // waited is on no list, and a request that was made has to be withdrawn.
    let mut asked = None;
    loop {
        let seen = match asked.take() {
            Some(task) => Where::Here(task),
            None => find(sched, id).map_or_else(|| find_unlisted(sched, id), Where::Here),
        };
        let task = match seen {
            Where::Here(task) => task,
            Where::Polled => {
                ask(sched, id);
                pause(sched, id, None, until, &mut nap)?;
                continue;
            }
            Where::Gone => {
                return Ok(Suspended {
                    held: None,
                    stopped: false,
                });
            }
        };
        probe::before_change(task.header());
        match task.header().state.try_suspend() {
            OnSuspend::Dead => {
                return Ok(Suspended {
                    held: None,
                    stopped: false,
                });
            }
            OnSuspend::Held { stopped } => {
                sched.suspended.add(task.header());
                return Ok(Suspended {
                    held: Some((sched.clone(), task)),
                    stopped,
                });
            }
            OnSuspend::Busy | OnSuspend::Running => {
                ask(sched, id);
                pause(sched, id, Some(asked.insert(task)), until, &mut nap)?;
            }
        }
    }
}

/// Sleeps a little, or gives up.
fn pause(
    sched: &Sched,
    id: u64,
    task: Option<&TaskRef>,
    until: Option<Instant>,
    nap: &mut Duration,
) -> Result<(), StillRunning> {
    if until.is_some_and(|until| Instant::now() >= until) {
        if let Some(task) = task {
            probe::before_change(task.header());
            if task.header().state.withdraw_stop() == OnWake::Enqueue {
                ready::ready_won(task);
            }
        }
        let blocking = lock(&sched.allm)
            .iter()
            .any(|mp| mp.polls(id) && mp.blocks());
        return Err(StillRunning { id, blocking });
    }
    std::thread::sleep(*nap);
    *nap = (*nap * 2).min(Duration::from_millis(1));
    Ok(())
}

fn find(sched: &Sched, id: u64) -> Option<TaskRef> {
    let mut found = None;
    sched.registry.for_each(|header, reference| {
        if header.goid == id {
            found = Some(reference());
        }
    });
    found
}

/// Where a task was seen.
enum Where {
    Here(TaskRef),
    /// Only its M knows it.
    Polled,
    Gone,
}

/// A task that has never waited is on no list: it is polled, or on a queue.
fn find_unlisted(sched: &Arc<Sched>, id: u64) -> Where {
    if is_polled(sched, id) {
        return Where::Polled;
    }
    let _stopped = stw::stop_the_world(sched);
    // A poll without a P goes on meanwhile: first the polls, then where they end.
    if is_polled(sched, id) {
        return Where::Polled;
    }
    let found = snapshot::find_queued(sched, id).or_else(|| find(sched, id));
    found.map_or(Where::Gone, Where::Here)
}

fn is_polled(sched: &Sched, id: u64) -> bool {
    lock(&sched.allm).iter().any(|mp| mp.polls(id))
}

/// Poisons the guard of whoever polls the task.
fn ask(sched: &Sched, id: u64) {
    for mp in lock(&sched.allm).iter().filter(|mp| mp.polls(id)) {
        preempt::poison(mp);
    }
}

/// Whether the calling task is `id`: it cannot suspend itself.
pub fn is_current(id: u64) -> bool {
    m::with_current(|m| m.is_some_and(|m| m.shared.polls(id)))
}
