//! What every task is doing, for dumps: parked tasks from the registry, running
//! ones from the Ms, runnable ones from the queues.
//!
//! The world stops while the queues are looked at, so that no task is missed or
//! seen twice on its way from one queue to another.

#![expect(unsafe_code, reason = "reads the fixed fields of queued tasks")]

use std::panic::Location;
use std::ptr::NonNull;

use crate::g::forgotten::is_forgotten;
use crate::g::state::{DEAD, PREEMPTED, RUNNABLE, RUNNING, Snapshot, WAITING};
use crate::g::{Header, ReadyG, TaskRef};
use crate::handle::Handle;
use crate::leaf;
use crate::probe::WaitReason;
use crate::sched::Sched;
use crate::stw;
use crate::sync::{Arc, Ordering, lock};

/// One task at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its id.
    pub id: u64,
    /// The id of the task that spawned it; 0: none.
    pub parent: u64,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it is doing.
    pub status: Status,
    /// What it waits for, if it waits.
    pub reason: WaitReason,
    /// Where it waits: the call of the leaf, if a leaf of gmp made it wait.
    pub location: Option<&'static Location<'static>>,
    /// How long it waits, in milliseconds.
    pub waiting_ms: u32,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The type of its future.
    pub type_name: &'static str,
    /// Bytes of its allocation.
    pub size: usize,
    /// Whether a suspender has it.
    pub suspended: bool,
    /// Whether only one thread may run it.
    pub locked: bool,
    /// Whether an abort was asked.
    pub cancelled: bool,
    /// Its set of labels; 0: none.
    pub labels: u16,
    /// Wakers that can make it runnable, as far as they are counted.
    pub wakers: u32,
    /// Handles that can abort it: those to its output and those to abort alone.
    pub handles: u32,
    /// What its leaf told beside the reason: the id of the task that it joins, or
    /// the number of the name of a foreign wait; 0: nothing.
    pub target: u64,
    /// Whether it is the task of a `block_on`.
    pub root: bool,
    /// Whether it waits and no waker of it exists: nothing but an abort or the
    /// shutdown can ever end it. Once true of a task, this stays true.
    pub forgotten: bool,
}

/// Go's words for what a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// On a queue.
    Runnable,
    /// In a poll.
    Running,
    /// In a blocking section.
    Syscall,
    /// Waits for a wake.
    Waiting,
    /// Stopped for a suspender.
    Preempted,
}

impl TaskInfo {
    /// The two clocks were read before; the coarse one stamps the waits.
    fn of(header: &Header, now_ms: u32, coarse_ms: u32) -> Option<TaskInfo> {
        let state = header.state.load();
        let status = status(state)?;
        let waits = status == Status::Waiting;
        let (wakers, handles) = header.refs.counts();
        let forgotten = is_forgotten(&header.state, &header.refs);
        // Nobody is polled while the world stands still, except a task that holds
        // up Ps and needs none: of that one we must know that it waited before.
        let waited = !header.park.holds_up() || header.park.since_ms() < coarse_ms;
        // The thread of a local task keeps a handle for its own use.
        let own = u32::from(header.home().is_some() && !header.is_system());
        Some(TaskInfo {
            id: header.goid,
            parent: header.parent,
            name: header.name().map(str::to_owned),
            status,
            reason: header.park.reason(),
            location: header.park.location().filter(|_| waits),
            waiting_ms: if waits {
                now_ms.saturating_sub(header.park.since_ms())
            } else {
                0
            },
            spawned_at: header.spawn_loc,
            type_name: (header.vtable.type_name)(),
            size: header.vtable.size,
            suspended: state.is_scanned(),
            locked: header.home().is_some(),
            cancelled: state.is_cancelled(),
            labels: header.park.labels(),
            wakers,
            handles: handles.saturating_sub(own),
            target: if waits { header.park.target() } else { 0 },
            root: header.home().is_some() && header.is_system(),
            forgotten: forgotten && waited,
        })
    }
}

fn status(state: Snapshot) -> Option<Status> {
    match state.status() {
        RUNNABLE => Some(Status::Runnable),
        RUNNING => Some(Status::Running),
        WAITING => Some(Status::Waiting),
        PREEMPTED => Some(Status::Preempted),
        DEAD => None,
        other => unreachable!("gmp: a task in state {other}"),
    }
}

/// Every task of the runtime, in the order of ids. The world stops for it.
pub fn tasks(handle: &Handle) -> Vec<TaskInfo> {
    let sched = handle.sched();
    let now = (sched.real_nanotime() / 1_000_000) as u32;
    let coarse = sched.coarse_ms();
    let mut found = Vec::new();
    {
        let _stopped = stw::stop_the_world(sched);
        sched
            .registry
            .for_each(|header, _| found.extend(TaskInfo::of(header, now, coarse)));
        queued(sched, |header| {
            found.extend(TaskInfo::of(header, now, coarse))
        });
        found.extend(running(sched));
        found.extend(current().filter(|_| is_here(sched)));
    }
    // A task that has parked before and is on a queue or in a poll now was seen
    // twice; the sight that comes first knows most, but not of blocking sections.
    found.sort_by_key(|task| (task.id, task.type_name == UNKNOWN));
    found.dedup_by(|later, first| {
        if later.id == first.id && later.status == Status::Syscall {
            first.status = Status::Syscall;
        }
        later.id == first.id
    });
    found
}

/// The type of a running task that has never waited: only its M knows it.
const UNKNOWN: &str = "gmp::task";

/// Whether this thread is an M of the runtime.
fn is_here(sched: &Arc<Sched>) -> bool {
    crate::m::with_current(|m| m.is_some_and(|m| Arc::ptr_eq(&m.sched, sched)))
}

/// The task that runs on this thread. No lock, no stop.
pub fn current() -> Option<TaskInfo> {
    crate::m::with_current(|m| {
        let m = m?;
        // SAFETY: the running task outlives the call that it makes.
        let header = unsafe { m.curg.get().as_ref() }?;
        TaskInfo::of(header, m.sched.coarse_ms(), m.sched.coarse_ms())
    })
}

/// The task with this number, if it is on a queue. The world stands still.
pub(crate) fn find_queued(sched: &Sched, id: u64) -> Option<TaskRef> {
    let mut found = None;
    queued(sched, |header| {
        if header.goid == id {
            // SAFETY: queued, so alive.
            found = Some(unsafe { TaskRef::new(NonNull::from(header)) });
        }
    });
    found
}

/// Calls `look` with every queued task. The world stands still.
fn queued(sched: &Sched, mut look: impl FnMut(&Header)) {
    let mut see = |gp: &ReadyG| look(gp.header());
    for pp in sched.all_ps() {
        pp.runq.peek(|raw| {
            // SAFETY: queued, and every P stands still: nobody runs it.
            see(&unsafe { ReadyG::from_ptr(NonNull::new_unchecked(raw.cast())) });
        });
    }
    let global: Vec<ReadyG> = std::iter::from_fn(|| sched.injector.pop()).collect();
    global.iter().for_each(&mut see);
    sched.injector.push_all(global);
    for mp in lock(&sched.allm).iter() {
        lock(&mp.inbox).tasks.iter().for_each(&mut see);
    }
}

/// The tasks inside polls, by what their Ms tell: the tasks themselves may end
/// at any moment.
fn running(sched: &Arc<Sched>) -> Vec<TaskInfo> {
    let ms = lock(&sched.allm);
    let running = ms.iter().filter_map(|mp| {
        let id = mp.goid.load(Ordering::Relaxed); // ord: for people
        let spawned_at = leaf::location_of(mp.spawn_loc.load(Ordering::Relaxed))?; // ord: as above
        let blocks = mp.syscalls.load(Ordering::Relaxed) > 0; // ord: as above
        (id != 0).then_some(TaskInfo {
            id,
            parent: 0,
            name: None,
            status: if blocks {
                Status::Syscall
            } else {
                Status::Running
            },
            reason: WaitReason::Foreign,
            location: None,
            waiting_ms: 0,
            spawned_at,
            type_name: UNKNOWN,
            size: 0,
            suspended: false,
            locked: false,
            cancelled: false,
            labels: 0,
            wakers: 0,
            handles: 0,
            target: 0,
            root: false,
            forgotten: false,
        })
    });
    running.collect()
}
