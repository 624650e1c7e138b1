//! What a child of fork may do with what it took over: nothing but forget it.
//!
//! The child has a copy of every runtime of its parent and none of their threads.
//! Locks may be held by threads that do not exist, queues are in the middle of a
//! change, and the kernel's poller is the parent's own. So a call that needs an
//! inherited runtime panics and tells the cure, a wake of an inherited task is
//! lost with the task, and what is dropped is forgotten. A runtime that the child
//! builds itself is whole, the global one included: it starts anew.

#![expect(unsafe_code, reason = "follows the pointer to this process's record")]

#[cfg(test)]
mod tests;

use gmp_reactor::Origin;

use crate::g::prof::Epoch;
use crate::held::Table;
use crate::orphan::Droppers;
use crate::probe::{self, Buffers};
use crate::runtime::Runtime;
use crate::sched::Sched;
use crate::stacks::Noted;
use crate::sync::{AtomicPtr, Mutex, OnceLock, Ordering, Weak};

pub(crate) const CURE: &str = "this process is a child of fork, and the gmp runtime is its parent's: \
                               call exec, or build a Runtime in the child and use that";

/// What a process has one of. A child gets a new one: its parent's may be locked, by
/// threads that the child does not have.
pub(crate) struct Process {
    origin: Origin,
    pub(crate) global: OnceLock<Runtime>,
    /// Every runtime, for whoever wants to see all tasks.
    pub(crate) runtimes: Mutex<Vec<Weak<Sched>>>,
    /// Threads that wake nobody, by their numbers in the system (`deadlock.rs`).
    pub(crate) bystanders: Mutex<Vec<i32>>,
    /// The last snapshot; there is one at a time.
    pub(crate) last_epoch: Mutex<Option<Epoch>>,
    /// What others than its walker have recorded.
    pub(crate) records: Buffers,
    /// The locks that somebody has waited for.
    pub(crate) lots: Mutex<Table>,
    pub(crate) droppers: Mutex<Droppers>,
    pub(crate) stacks: Noted,
}

static PROCESS: AtomicPtr<Process> = AtomicPtr::new(std::ptr::null_mut());

impl Process {
    /// This process's record. It lives as long as the process.
    pub(crate) fn here() -> &'static Process {
        let mut found = PROCESS.load(Ordering::Acquire); // ord: sees the record that it points to
        loop {
            // SAFETY: records are leaked, so what was published stays.
            if let Some(process) = unsafe { found.as_ref() }
                && !process.origin.is_elsewhere()
            {
                return process;
            }
            // The child never hears of the end of a snapshot that its parent was taking.
            let open = probe::abandon();
            let new = Box::into_raw(Box::new(Process {
                origin: Origin::here(),
                global: OnceLock::new(),
                runtimes: Mutex::default(),
                bystanders: Mutex::default(),
                last_epoch: Mutex::new(open),
                records: Buffers::default(),
                lots: Mutex::default(),
                droppers: Mutex::default(),
                stacks: Noted::default(),
            }));
            // ord: publishes the record; a loser sees the winner's
            match PROCESS.compare_exchange(found, new, Ordering::AcqRel, Ordering::Acquire) {
                // SAFETY: just leaked.
                Ok(_) => return unsafe { &*new },
                Err(winner) => {
                    // SAFETY: just made, and nobody else has seen it.
                    drop(unsafe { Box::from_raw(new) });
                    found = winner;
                }
            }
        }
    }
}

/// A task that has forked returns to the scheduler in the child, too. The other
/// tasks there are copies of those that the parent runs, and there is nowhere to
/// go back to.
#[cold]
pub(crate) fn returned() -> ! {
    eprintln!(
        "fatal error: gmp: a child of fork came to the end of a poll of its parent's task, where \
         the other tasks of the parent would run a second time: call exec or exit in the child \
         before, if need be at the end of a block_on on a Runtime that the child has built"
    );
    std::process::abort()
}
