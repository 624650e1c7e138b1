//! What a waiting task waits for, where that is certain: the edges of the graph in
//! `cycle.rs` and `deadlock.rs`.
//!
//! A task is in the graph if no waker of it exists, or exactly one, and that one
//! lies with a lock or in the join slot of a task of this runtime: then nothing but
//! that lock or that task can wake it. So each task has one edge at most. A leaf that
//! was polled with the waker of something in between, a `FuturesUnordered` for one,
//! is no edge: what it waits for beside is not known.

use std::collections::HashMap;
use std::panic::Location;

use crate::g::Header;
use crate::g::forgotten::rests;
use crate::held::{self, Sight};
use crate::probe::WaitReason;
use crate::sched::Sched;

/// What one task waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) reason: WaitReason,
    pub(crate) location: Option<&'static Location<'static>>,
    pub(crate) on: On,
    /// Handles that can abort it.
    pub(crate) handles: u32,
    pub(crate) root: bool,
    /// Its address, and that of the task whose waker is in its join slot.
    address: usize,
    joiner: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// No waker of it exists.
    Nothing,
    /// The end of the task.
    Task(u64),
    /// The lock with this number.
    Lock(u64),
    /// The semaphore or half of a channel with this number.
    Shared(u64),
}

impl Wait {
    /// None: the task does not wait, or somebody who is not known can wake it.
    pub(crate) fn of(header: &Header) -> Option<Wait> {
        if !rests(&header.state) {
            return None;
        }
        let (wakers, handles) = header.counts();
        // In a select too: the waker says whether that is all it waits for.
        let (reason, target) = (header.park.leaf_reason(), header.park.target());
        let on = match (wakers, reason) {
            (0, _) => On::Nothing,
            (2.., _) => return None,
            _ if target == 0 => return None,
            (_, WaitReason::Join | WaitReason::Blocking) => On::Task(target),
            _ if !held::is_direct(target) => return None,
            (_, WaitReason::MutexLock | WaitReason::RwMutexRLock | WaitReason::RwMutexLock) => {
                On::Lock(target)
            }
            (_, WaitReason::SemAcquire | WaitReason::ChanReceive | WaitReason::ChanSend) => {
                On::Shared(target)
            }
            _ => return None,
        };
        let wait = Wait {
            reason,
            location: header.park.location(),
            on,
            handles,
            root: header.is_root(),
            address: std::ptr::from_ref(header).addr(),
            joiner: header.joiner(),
        };
        // A wake changes the state before it drops its waker (g/forgotten.rs).
        rests(&header.state).then_some(wait)
    }
}

/// A task's wait, and who can end it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) wait: Wait,
    /// None: nobody.
    pub(crate) next: Option<u64>,
    /// Of the lock, for whoever looks twice.
    pub(crate) sight: Option<Sight>,
    /// Whether nobody but `next` can end the wait, unless the lock is a `static`.
    pub(crate) sure: bool,
}

impl Edge {
    /// Whether nobody but `next` can end the wait. Costs more than a look at `sure`.
    pub(crate) fn is_proven(&self) -> bool {
        self.sure && !self.sight.is_some_and(|sight| sight.is_static())
    }
}

/// Which edges are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Sure,
    /// Those too that only say who is likely to end the wait.
    Likely,
}

/// By task.
pub(crate) type Edges = HashMap<u64, Edge>;

/// The edges of this moment, more or less.
pub(crate) fn edges(sched: &Sched, which: Wanted, wanted: impl Fn(u64) -> bool) -> Edges {
    let mut waits = HashMap::new();
    sched.registry.for_each(|header, _| {
        if let Some(wait) = Wait::of(header).filter(|_| wanted(header.goid)) {
            waits.insert(header.goid, wait);
        }
    });
    let here = std::ptr::from_ref(sched).addr();
    let edge = |(&id, &wait): (&u64, &Wait)| {
        let (next, sight, sure) = match wait.on {
            On::Nothing => (None, None, true),
            On::Task(next) => {
                // The number may be that of a task of another runtime.
                let holds = waits.get(&next)?.joiner == wait.address;
                (Some(holds.then_some(next)?), None, true)
            }
            On::Shared(_) if which == Wanted::Sure => return None,
            On::Lock(number) | On::Shared(number) => {
                let sight = held::sight(number)?;
                let sure = is_sure(wait.reason, &sight);
                (Some(sight.holder.id_in(here)?), Some(sight), sure)
            }
        };
        let edge = Edge {
            wait,
            next,
            sight,
            sure,
        };
        (sure || which == Wanted::Likely).then_some((id, edge))
    };
    waits.iter().filter_map(edge).collect()
}

/// Whether the wait lasts as long as the holder does not let go. Anybody may send,
/// receive or add permits who has the other half or the semaphore; an owned guard, or
/// one that was taken in a box, may be anybody's; and a reader may wait for a writer that
/// waits itself, and may give up.
fn is_sure(reason: WaitReason, sight: &Sight) -> bool {
    let holder = sight.holder;
    !holder.is_lent()
        && match reason {
            WaitReason::MutexLock | WaitReason::RwMutexLock => true,
            WaitReason::RwMutexRLock => !holder.is_shared(),
            _ => false,
        }
}

/// Edges of tasks that wait for each other's ends, from pairs; 0: for nothing. A
/// task that is joined has a handle.
#[cfg(test)]
pub(crate) fn graph(pairs: &[(u64, u64)]) -> Edges {
    let edge = |&(id, next): &(u64, u64)| {
        let wait = Wait {
            reason: WaitReason::Join,
            location: None,
            on: On::Task(next),
            handles: u32::from(pairs.iter().any(|pair| pair.1 == id)),
            root: false,
            address: 0,
            joiner: 0,
        };
        let next = Some(next).filter(|&next| next != 0);
        let edge = Edge {
            wait,
            next,
            sight: None,
            sure: true,
        };
        (id, edge)
    };
    pairs.iter().map(edge).collect()
}
