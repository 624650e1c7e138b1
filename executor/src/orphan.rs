//! Who dropped the last waker of a waiting task, which nobody can wake from then on.
//!
//! To know that, a drop must look at the counts before it gives its own up: afterwards
//! the task may be gone. A product's drop of a waker is one instruction and a branch,
//! and stays so; builds with debug assertions look, and those with
//! `--cfg gmp_watch_wakers`.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::thread;

use crate::fork::Process;
use crate::g::Header;
use crate::g::forgotten::rests;
use crate::m;
use crate::sched::Sched;
use crate::sync::{MutexGuard, lock};

/// Whether this build looks.
pub(crate) const ON: bool = cfg!(any(debug_assertions, gmp_watch_wakers));

/// Whoever dropped the last waker of a task that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropper {
    /// A task, in its poll or with its end.
    #[non_exhaustive]
    Task {
        /// Its id.
        id: u64,
        /// Where it was spawned.
        spawned_at: &'static Location<'static>,
        /// Where it had waited last; none if it never did.
        waited_at: Option<&'static Location<'static>>,
    },
    /// A thread outside any task.
    #[non_exhaustive]
    Thread {
        /// Its name, if it has one.
        name: Option<String>,
    },
}

impl Dropper {
    fn here() -> Dropper {
        let task = m::with_current(|m| m?.running().map(Dropper::task));
        task.unwrap_or_else(|| Dropper::Thread {
            name: thread::current().name().map(str::to_owned),
        })
    }

    fn task(header: &Header) -> Dropper {
        Dropper::Task {
            id: header.goid,
            spawned_at: header.spawn_loc,
            waited_at: header.park.location(),
        }
    }
}

impl fmt::Display for Dropper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dropper::Task {
                id,
                spawned_at: at,
                waited_at,
            } => {
                write!(f, "goroutine {id}, created at {}:{}", at.file(), at.line())?;
                match waited_at {
                    Some(at) => write!(f, ", after its wait at {}:{}", at.file(), at.line()),
                    None => Ok(()),
                }
            }
            Dropper::Thread { name: Some(name) } => write!(f, "thread {name}"),
            Dropper::Thread { name: None } => f.write_str("a thread without a name"),
        }
    }
}

/// By runtime and task. What is in it may have ended since.
pub(crate) type Droppers = BTreeMap<(usize, u64), Dropper>;

fn droppers() -> MutexGuard<'static, Droppers> {
    lock(&Process::here().droppers)
}

/// More are not kept: of the runtime at the lowest address, the oldest goes.
const MOST: usize = 4096;

fn key(header: &Header) -> (usize, u64) {
    (header.sched.addr().get(), header.goid)
}

/// A thread is about to drop the last waker of the task, and holds it yet.
pub(crate) fn last_waker_goes(header: &Header) {
    if !rests(&header.state) {
        return;
    }
    let dropper = Dropper::here();
    let mut droppers = droppers();
    droppers.insert(key(header), dropper);
    if droppers.len() > MOST {
        droppers.pop_first();
    }
}

/// Who dropped the task's last waker, if that is known.
pub(crate) fn dropper_of(header: &Header) -> Option<Dropper> {
    droppers().get(&key(header)).cloned()
}

/// The runtime ends: another one may get its address.
pub(crate) fn end_of(sched: &Sched) {
    let here = std::ptr::from_ref(sched).addr();
    droppers().retain(|key, _| key.0 != here);
}
