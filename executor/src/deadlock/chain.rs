//! Chains of waits that end nowhere: from a root to a task that nobody can wake, or
//! into a circle.
//!
//! Each task of the chain has no waker, or one that lies with the lock or in the join
//! slot of the next (`waits.rs`), and no handle but the one that is awaited: so no
//! thread, timer, signal or descriptor can reach any of them. A guard that its task
//! could have given away (`held.rs`) is no link, nor is one whose lock changed hands
//! between two looks.

use std::collections::HashSet;

use crate::held;
use crate::sched::Sched;
use crate::sync::lock;
use crate::waits::{Edges, On, Wait, Wanted, edges};

/// The tasks of all chains that begin with a root; empty if there is none.
pub(super) fn find(sched: &Sched) -> HashSet<u64> {
    if !is_worth_a_proof(sched) {
        return HashSet::new();
    }
    let first = edges(sched, Wanted::Sure, |_| true);
    let chains: Vec<Vec<u64>> = chains(&first).collect();
    let mut stuck: HashSet<u64> = chains.iter().flatten().copied().collect();
    if stuck.is_empty() {
        return stuck;
    }
    // What has not moved in between did stand (cycle.rs).
    let second = edges(sched, Wanted::Sure, |id| stuck.contains(&id));
    let stood = |chain: &&Vec<u64>| chain.iter().all(|id| first.get(id) == second.get(id));
    let certain = |chain: &&Vec<u64>| chain.iter().all(|id| first[id].is_proven());
    let chains = chains.iter().filter(stood).filter(certain);
    stuck = chains.flatten().copied().collect();
    stuck
}

/// Whether a root waits for something that is not plainly open. Most roots wait
/// for a signal, or for a task that waits for a socket: a look at the roots, at most
/// one pass over the tasks that keeps nothing, and no more.
fn is_worth_a_proof(sched: &Sched) -> bool {
    let here = std::ptr::from_ref(sched).addr();
    let mut next = Vec::new();
    for mp in lock(&sched.allm).iter() {
        for root in &lock(&mp.inbox).roots {
            match Wait::of(root.header()).map(|wait| wait.on) {
                None | Some(On::Shared(_)) => {}
                Some(On::Nothing) => return true,
                Some(On::Task(id)) => next.push(id),
                Some(On::Lock(number)) => {
                    next.extend(held::sight(number).and_then(|sight| sight.holder.id_in(here)));
                }
            }
        }
    }
    let mut closed = false;
    if !next.is_empty() {
        sched.registry.for_each(|header, _| {
            closed |= next.contains(&header.goid) && Wait::of(header).is_some();
        });
    }
    closed
}

/// The chains that begin with a root and end nowhere.
fn chains(edges: &Edges) -> impl Iterator<Item = Vec<u64>> {
    let roots = edges.iter().filter(|(_, edge)| edge.wait.root);
    roots.filter_map(|(&root, _)| chain(edges, root))
}

/// The tasks that `start` waits for one after the other, with itself. None: one of
/// them may go on.
fn chain(edges: &Edges, start: u64) -> Option<Vec<u64>> {
    let mut chain = Vec::new();
    let mut met = HashSet::new();
    let mut joined = HashSet::new();
    let mut next = Some(start);
    while let Some(id) = next.filter(|&id| met.insert(id)) {
        let edge = edges.get(&id)?;
        chain.push(id);
        next = edge.next;
        if let On::Task(id) = edge.wait.on {
            joined.insert(id);
        }
    }
    // Handles can abort. A root has those of its own block_on alone; a joined task
    // has the one that is awaited.
    let is_held = |id: &u64| {
        let wait = edges[id].wait;
        wait.root || wait.handles <= u32::from(joined.contains(id))
    };
    chain.iter().all(is_held).then_some(chain)
}

#[cfg(test)]
mod tests {
    use super::chain;
    use crate::waits::graph;

    #[test]
    fn a_chain_ends_in_a_dead_end_or_in_a_circle() {
        let edges = graph(&[(1, 2), (2, 0), (3, 4), (4, 5), (5, 4), (6, 7)]);
        assert_eq!(chain(&edges, 1), Some(vec![1, 2]));
        assert_eq!(chain(&edges, 3), Some(vec![3, 4, 5]));
        assert_eq!(chain(&edges, 4), Some(vec![4, 5]));
        assert_eq!(chain(&edges, 6), None, "7 does something");
    }

    #[test]
    fn a_handle_that_nobody_awaits_may_abort() {
        let mut edges = graph(&[(1, 2), (2, 3), (3, 2)]);
        edges.get_mut(&3).expect("there").wait.handles += 1;
        assert_eq!(chain(&edges, 1), None);
    }
}
