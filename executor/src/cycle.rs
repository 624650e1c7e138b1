//! Tasks that wait for each other in a circle: locks and joins whose holder is
//! known.
//!
//! A task is in the graph if exactly one waker of it exists, and that one lies with
//! a lock or in the join slot of a task of this runtime: then nothing but that lock
//! or that task can wake it. So each task has one edge at most, and a circle is
//! found by walking. A leaf that was polled with the waker of something in between,
//! a `FuturesUnordered` for one, is no edge: what it waits for beside is not known.
//!
//! Why there is no false one. The tasks are looked at one after the other, twice.
//! If a lock has the same version both times, its holder held it all the while; a
//! task that waited for it both times was not woken in between, for only the
//! holder could. So at the moment between the two looks the whole circle stood,
//! and nobody in it will ever do anything. Only an abort ends it, or a guard that
//! its task has given to somebody else.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

use crate::g::Header;
use crate::g::state::WAITING;
use crate::handle::Handle;
use crate::held::{self, Sight};
use crate::probe::WaitReason;
use crate::sched::Sched;

/// Tasks of which each waits for the next, and the last for the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    links: Vec<Link>,
}

/// One task of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Its id.
    pub id: u64,
    /// What it waits for.
    pub reason: WaitReason,
    /// Where it waits.
    pub location: Option<&'static Location<'static>>,
    /// The task that it waits for.
    pub next: u64,
    /// Where that task took the lock; none for a join.
    pub held_since: Option<&'static Location<'static>>,
}

impl Cycle {
    /// The tasks, the smallest id first, then the one that it waits for.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether the task is one of them.
    pub fn contains(&self, id: u64) -> bool {
        self.links.iter().any(|link| link.id == id)
    }
}

/// A line for the circle and one for each task, each begun by `#`.
impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.links.len() {
            1 => writeln!(f, "# cycle: a goroutine waits for itself")?,
            n => writeln!(f, "# cycle: {n} goroutines wait for each other")?,
        }
        self.links
            .iter()
            .try_for_each(|link| writeln!(f, "#\t{link}"))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "goroutine {} waits for {}",
            self.id,
            self.reason.as_str()
        )?;
        if let Some(at) = self.location {
            write!(f, " at {}:{}", at.file(), at.line())?;
        }
        match (self.reason, self.held_since) {
            (WaitReason::Join, _) => write!(f, " of goroutine {}", self.next),
            (_, Some(at)) => {
                let (file, line) = (at.file(), at.line());
                write!(f, ", held by goroutine {} since {file}:{line}", self.next)
            }
            (_, None) => write!(f, ", held by goroutine {}", self.next),
        }
    }
}

/// What one task waits for, as far as it is in the graph.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wait {
    reason: WaitReason,
    location: Option<&'static Location<'static>>,
    on: On,
    /// Its address, and that of the task whose waker is in its join slot.
    address: usize,
    joiner: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    /// The end of the task.
    Task(u64),
    /// The lock with this number.
    Lock(u64),
}

impl Wait {
    fn of(header: &Header) -> Option<Wait> {
        let state = header.state.load();
        if state.status() != WAITING || state.is_cancelled() || header.refs.counts().0 != 1 {
            return None;
        }
        let (reason, target) = (header.park.reason(), header.park.target());
        let on = match reason {
            _ if target == 0 => return None,
            WaitReason::Join => On::Task(target),
            WaitReason::MutexLock | WaitReason::RwMutexRLock | WaitReason::RwMutexLock
                if held::is_direct(target) =>
            {
                On::Lock(target)
            }
            _ => return None,
        };
        Some(Wait {
            reason,
            location: header.park.location(),
            on,
            address: std::ptr::from_ref(header).addr(),
            joiner: header.joiner(),
        })
    }
}

/// The edges of this moment, more or less: task to (wait, next, lock's sight).
type Edges = HashMap<u64, (Wait, u64, Option<Sight>)>;

fn edges(sched: &Sched, wanted: impl Fn(u64) -> bool) -> Edges {
    let mut waits = HashMap::new();
    sched.registry.for_each(|header, _| {
        if let Some(wait) = Wait::of(header).filter(|_| wanted(header.goid)) {
            waits.insert(header.goid, wait);
        }
    });
    let here = std::ptr::from_ref(sched).addr();
    let edge = |(&id, &wait): (&u64, &Wait)| match wait.on {
        On::Task(next) => {
            // The number may be that of a task of another runtime.
            let holds = waits.get(&next)?.joiner == wait.address;
            holds.then_some((id, (wait, next, None)))
        }
        On::Lock(number) => {
            let sight = held::sight(number)?;
            Some((id, (wait, sight.holder.id_in(here)?, Some(sight))))
        }
    };
    waits.iter().filter_map(edge).collect()
}

/// The circles among the edges, each begun by its smallest id, in that order.
fn circles(edges: &Edges) -> Vec<Vec<u64>> {
    // The walk that came by first.
    let mut seen: HashMap<u64, u64> = HashMap::new();
    let mut found = Vec::new();
    for &start in edges.keys() {
        let mut at = start;
        while edges.contains_key(&at) && !seen.contains_key(&at) {
            seen.insert(at, start);
            at = edges[&at].1;
        }
        if seen.get(&at) != Some(&start) || !edges.contains_key(&at) {
            continue;
        }
        // The walk has come back to a task of its own: the circle begins there.
        let mut circle = vec![at];
        let mut next = edges[&at].1;
        while next != at {
            circle.push(next);
            next = edges[&next].1;
        }
        let smallest = (0..circle.len()).min_by_key(|&n| circle[n]);
        circle.rotate_left(smallest.unwrap_or(0));
        found.push(circle);
    }
    found.sort();
    found
}

/// The circles of waiting tasks in the runtime, none of which is a guess; see the
/// module. Stops nothing: two walks over the parked tasks at most.
pub fn find(handle: &Handle) -> Vec<Cycle> {
    let sched = handle.sched();
    let first = edges(sched, |_| true);
    let suspects = circles(&first);
    if suspects.is_empty() {
        return Vec::new();
    }
    let second = edges(sched, |id| {
        suspects.iter().any(|circle| circle.contains(&id))
    });
    let stood = |id: &u64| {
        first
            .get(id)
            .is_some_and(|edge| second.get(id) == Some(edge))
    };
    let cycle = |circle: Vec<u64>| {
        let link = |id: u64| {
            let (wait, next, sight) = first[&id];
            Link {
                id,
                reason: wait.reason,
                location: wait.location,
                next,
                held_since: sight.and_then(|sight| sight.holder.at()),
            }
        };
        let links = circle.into_iter().map(link).collect();
        Cycle { links }
    };
    let suspects = suspects.into_iter();
    suspects
        .filter(|circle| circle.iter().all(stood))
        .map(cycle)
        .collect()
}

/// The task that holds what a task waits for, and since where: the number is that
/// of its park record. None if nobody is known.
pub fn holder(handle: &Handle, number: u64) -> Option<(u64, Option<&'static Location<'static>>)> {
    let here = std::ptr::from_ref::<Sched>(handle.sched()).addr();
    let holder = held::sight(number)?.holder;
    Some((holder.id_in(here)?, holder.at()))
}

#[cfg(test)]
mod tests {
    use super::{Edges, On, Wait, circles};
    use crate::probe::WaitReason;

    fn graph(pairs: &[(u64, u64)]) -> Edges {
        let edge = |&(id, next): &(u64, u64)| {
            let wait = Wait {
                reason: WaitReason::Join,
                location: None,
                on: On::Task(next),
                address: 0,
                joiner: 0,
            };
            (id, (wait, next, None))
        };
        pairs.iter().map(edge).collect()
    }

    #[test]
    fn circles_are_found_once_and_tails_are_not() {
        let none: [Vec<u64>; 0] = [];
        assert_eq!(circles(&graph(&[])), none);
        assert_eq!(circles(&graph(&[(1, 2), (2, 3)])), none);
        assert_eq!(circles(&graph(&[(5, 5)])), [[5]]);
        // Two that wait behind a circle of three, and a circle of two.
        let edges = graph(&[
            (9, 4),
            (4, 2),
            (2, 3),
            (3, 4),
            (8, 9),
            (6, 7),
            (7, 6),
            (1, 6),
        ]);
        assert_eq!(circles(&edges), [vec![2, 3, 4], vec![6, 7]]);
    }
}
