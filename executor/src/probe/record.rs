//! What a snapshot takes of one task.

use std::panic::Location;

use crate::g::Header;
use crate::g::forgotten::is_forgotten;
use crate::g::join;
use crate::g::state::{DEAD, PREEMPTED, RUNNABLE, RUNNING, WAITING};
use crate::orphan::{self, Dropper};
use crate::stacks;
use crate::sync::Arc;

use super::WaitReason;

/// Where the task waits, if that is a place of the program. A handle that is awaited by
/// reference, in a box or in a combinator is polled by a library, and one behind a `dyn`
/// by what stands for its own code.
fn place(header: &Header) -> Option<&'static Location<'static>> {
    let of_library = |file: &str| {
        let libraries = ["/rust/library/", "/futures-util"];
        file.starts_with("/rustc/")
            || file == join::FILE
            || libraries.iter().any(|library| file.contains(library))
    };
    let at = header.park.location()?;
    let joins = matches!(
        header.park.reason(),
        WaitReason::Join | WaitReason::Blocking
    );
    (!joins || !of_library(at.file())).then_some(at)
}

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
    /// Where it waits: the call of the leaf, if a leaf of gmp made it wait. In a blocking
    /// section, where that was called. For a task that awaits another one by reference or in
    /// a combinator, which no line of the program tells: where that one was spawned.
    pub location: Option<&'static Location<'static>>,
    /// How long it waits, in milliseconds.
    pub waiting_ms: u32,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The type of its future.
    pub type_name: &'static str,
    /// The return addresses of the stack on which it waits, the leaf first, if
    /// [`stacks`] are on and the program has frame pointers; or of that on which a poll
    /// computes that has lasted for long, see [`stacks::set_poll_stacks`].
    pub stack: Option<Arc<[usize]>>,
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
    /// Who dropped its last waker, of a forgotten task. None if that came about in
    /// another way, or in a build without debug assertions and without
    /// `--cfg gmp_watch_wakers`.
    pub dropped_by: Option<Box<Dropper>>,
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

impl Status {
    /// None: the task has ended.
    fn of(status: u32) -> Option<Status> {
        match status {
            RUNNABLE => Some(Status::Runnable),
            RUNNING => Some(Status::Running),
            WAITING => Some(Status::Waiting),
            PREEMPTED => Some(Status::Preempted),
            DEAD => None,
            other => unreachable!("gmp: a task in state {other}"),
        }
    }
}

impl TaskInfo {
    /// The task with the status that it had at the moment `now_ms`. None: it had
    /// ended. Whoever calls this sees to it that the task does not wait anew
    /// meanwhile, or throws the result away: the proof depends on it.
    #[inline]
    pub(crate) fn of(header: &Header, status: u32, now_ms: u32) -> Option<TaskInfo> {
        let status = Status::of(status)?;
        let waits = status == Status::Waiting;
        let state = header.state.load();
        let (wakers, handles) = header.counts();
        let forgotten = super::ON && waits && is_forgotten(&header.state, &header.refs);
        Some(TaskInfo {
            id: header.goid,
            parent: header.parent(),
            name: header.name().map(str::to_owned),
            status,
            reason: header.park.reason(),
            location: if waits { place(header) } else { None },
            waiting_ms: if waits {
                now_ms.saturating_sub(header.park.since_ms())
            } else {
                0
            },
            spawned_at: header.spawn_loc,
            type_name: (header.vtable.type_name)(),
            stack: if waits { stacks::of(header) } else { None },
            size: header.vtable.size,
            suspended: state.is_scanned(),
            locked: header.home().is_some(),
            cancelled: state.is_cancelled(),
            labels: header.park.labels(),
            wakers,
            handles,
            target: if waits { header.park.target() } else { 0 },
            root: header.is_root(),
            forgotten,
            dropped_by: (forgotten && orphan::ON)
                .then(|| orphan::dropper_of(header).map(Box::new))
                .flatten(),
        })
    }

    /// The task whose end it waits for, if it awaits a handle of one of its own runtime:
    /// ids of another one are those of others here.
    pub fn joins(&self) -> Option<u64> {
        let joins = matches!(self.reason, WaitReason::Join | WaitReason::Blocking);
        Some(self.target).filter(|&id| joins && id != 0)
    }

    /// A task inside a poll of which only its M tells, and no more than this.
    pub(crate) fn polled(id: u64, spawned_at: &'static Location<'static>) -> TaskInfo {
        TaskInfo {
            id,
            parent: 0,
            name: None,
            status: Status::Running,
            reason: WaitReason::Foreign,
            location: None,
            waiting_ms: 0,
            spawned_at,
            type_name: "gmp::task",
            stack: None,
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
            dropped_by: None,
        }
    }
}
