//! Tasks that wait for each other in a circle: locks and joins whose holder is
//! known.
//!
//! Each task has one edge at most (`waits.rs`), and a circle is found by walking.
//!
//! Why there is no false one. The tasks are looked at one after the other, twice.
//! If a lock has the same version both times, its holder held it all the while; a
//! task that waited for it both times was not woken in between, for only the
//! holder could. So at the moment between the two looks the whole circle stood,
//! and nobody in it will ever do anything. Only an abort ends it. A holder whose
//! guard may be with somebody else by now (`held.rs`) makes the circle a suspicion.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

use crate::handle::Handle;
use crate::held;
use crate::probe::WaitReason;
use crate::sched::Sched;
use crate::waits::{Edges, Wanted, edges};

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
    /// Whether nobody but that task can end the wait. Else it is the one that used the
    /// other half of the channel, or the semaphore, last, or that took a guard which may
    /// be with another by now.
    pub proven: bool,
}

impl Cycle {
    /// The tasks, the smallest id first, then the one that it waits for.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether none of its waits can be ended by anybody else: not so through a
    /// channel, a semaphore or a guard that may have been given away.
    pub fn is_proven(&self) -> bool {
        self.links.iter().all(|link| link.proven)
    }

    /// Whether the task is one of them.
    pub fn contains(&self, id: u64) -> bool {
        self.links.iter().any(|link| link.id == id)
    }
}

/// A line for the circle and one for each task, each begun by `#`.
impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_proven() {
            "cycle"
        } else {
            "suspected cycle"
        };
        match self.links.len() {
            1 => writeln!(f, "# {kind}: a goroutine waits for itself")?,
            n => writeln!(f, "# {kind}: {n} goroutines wait for each other")?,
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
            (WaitReason::Join | WaitReason::Blocking, _) => {
                write!(f, " of goroutine {}", self.next)
            }
            (WaitReason::ChanReceive, _) => write!(f, ", last sent to by goroutine {}", self.next),
            (WaitReason::ChanSend, _) => {
                write!(f, ", last received from by goroutine {}", self.next)
            }
            (WaitReason::SemAcquire, _) => write!(f, ", last acquired by goroutine {}", self.next),
            (_, Some(at)) if !self.proven => {
                let (file, line) = (at.file(), at.line());
                write!(f, ", taken by goroutine {} at {file}:{line}", self.next)
            }
            (_, Some(at)) => {
                let (file, line) = (at.file(), at.line());
                write!(f, ", held by goroutine {} since {file}:{line}", self.next)
            }
            (_, None) => write!(f, ", held by goroutine {}", self.next),
        }
    }
}

/// The task that can end the wait of this one.
fn next(edges: &Edges, id: u64) -> Option<u64> {
    edges.get(&id)?.next
}

/// The circles among the edges, each begun by its smallest id, in that order.
fn circles(edges: &Edges) -> Vec<Vec<u64>> {
    // The walk that came by first.
    let mut seen: HashMap<u64, u64> = HashMap::new();
    let mut found = Vec::new();
    for &start in edges.keys() {
        let mut at = start;
        while let Some(after) = next(edges, at).filter(|_| !seen.contains_key(&at)) {
            seen.insert(at, start);
            at = after;
        }
        if seen.get(&at) != Some(&start) {
            continue;
        }
        // The walk has come back to a task of its own: the circle begins there.
        let after = |&id: &u64| next(edges, id).filter(|&next| next != at);
        let mut circle: Vec<u64> = std::iter::successors(Some(at), after).collect();
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
    find_in(handle.sched())
}

/// The circles in which somebody else might end a wait: through a channel, to the
/// task that used its other half last, a semaphore or a guard that may have been given
/// away. Only a suspicion, and of channels and semaphores only of uses since
/// [`held::watch`].
pub fn suspected(handle: &Handle) -> Vec<Cycle> {
    let mut found = of(handle.sched(), Wanted::Likely);
    found.retain(|cycle| !cycle.is_proven());
    found
}

pub(crate) fn find_in(sched: &Sched) -> Vec<Cycle> {
    let mut found = of(sched, Wanted::Sure);
    found.retain(Cycle::is_proven);
    found
}

fn of(sched: &Sched, which: Wanted) -> Vec<Cycle> {
    let first = edges(sched, which, |_| true);
    let suspects = circles(&first);
    if suspects.is_empty() {
        return Vec::new();
    }
    let second = edges(sched, which, |id| {
        suspects.iter().any(|circle| circle.contains(&id))
    });
    let stood = |id: &u64| first.get(id) == second.get(id);
    let cycle = |circle: Vec<u64>| {
        let link = |id: u64| {
            let edge = first.get(&id)?;
            Some(Link {
                id,
                reason: edge.wait.reason,
                location: edge.wait.location,
                next: edge.next?,
                held_since: edge.sight.and_then(|sight| sight.holder.at()),
                proven: edge.is_proven(),
            })
        };
        let links = circle.into_iter().filter_map(link).collect();
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
    use super::circles;
    use crate::waits::graph;

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
