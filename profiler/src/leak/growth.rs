//! Suspicion by growth: what only becomes more between two snapshots.

use std::collections::HashMap;
use std::panic::Location;

use gmp_executor::snapshot::{Status, TaskInfo};

use crate::frames;
use crate::profile::Profile;

/// Detached tasks that wait at one place, more of them than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Where they wait; where they were spawned, if that is not known.
    pub waits_at: &'static Location<'static>,
    /// Where they were spawned.
    pub spawned_at: &'static Location<'static>,
    /// What they wait for.
    pub state: String,
    /// How many there were.
    pub before: usize,
    /// How many there are.
    pub now: usize,
}

/// The groups of waiting tasks without a handle that have grown from `older` to
/// `newer`, those that grew most first. Whoever asks decides how long lies
/// between the two: a service under more load has more tasks, too.
pub fn growth(older: &Profile, newer: &Profile) -> Vec<Growth> {
    let before = count(older);
    let mut grown: Vec<Growth> = count(newer)
        .into_iter()
        .map(|(key, now)| Growth {
            before: before.get(&key).copied().unwrap_or(0),
            state: key.0,
            waits_at: key.1,
            spawned_at: key.2,
            now,
        })
        .filter(|group| group.now > group.before)
        .collect();
    grown.sort_by_key(|group| {
        let place = (group.spawned_at.file(), group.spawned_at.line());
        (std::cmp::Reverse(group.now - group.before), place)
    });
    grown
}

type Key = (
    String,
    &'static Location<'static>,
    &'static Location<'static>,
);

fn count(tasks: &Profile) -> HashMap<Key, usize> {
    let mut counts = HashMap::new();
    let detached =
        |task: &&TaskInfo| task.status == Status::Waiting && task.handles == 0 && !task.root;
    for task in tasks.iter().filter(detached) {
        let key = (
            frames::state(task).into_owned(),
            frames::place(task),
            task.spawned_at,
        );
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}
