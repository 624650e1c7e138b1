//! Equal tasks counted together while they are looked at: what a profile needs,
//! without a list of all tasks.

use gmp_executor::Handle;
use gmp_executor::snapshot::Shot;

use crate::groups::{self, Group, Groups};
use crate::profile::Taken;
use crate::{folded, pprof};

/// The tasks of a runtime at one moment, equal ones counted together: see
/// [`grouped`].
#[derive(Debug, Clone)]
pub struct Grouped {
    groups: Vec<Group>,
    taken: Taken,
}

/// The tasks of this thread's runtime, equal ones together. As
/// [`tasks`](crate::tasks()), but the memory that it takes grows with the number of
/// groups: a million tasks that wait at ten places are ten groups.
///
/// ```
/// # gmp_executor::Handle::current().block_on(async {
/// let waiting = gmp_executor::spawn(std::future::pending::<()>());
/// let grouped = gmp_profiler::grouped();
/// assert!(grouped.to_text().starts_with("goroutine profile: total "));
/// assert!(!grouped.to_pprof().is_empty());
/// waiting.abort();
/// # });
/// ```
pub fn grouped() -> Grouped {
    Grouped::of(&Handle::current())
}

impl Grouped {
    /// The tasks of `handle`'s runtime.
    pub fn of(handle: &Handle) -> Grouped {
        let mut groups = Groups::default();
        let taken = Taken::of(handle, |part| part.iter().for_each(|task| groups.add(task)));
        Grouped {
            groups: groups.sorted(),
            taken,
        }
    }

    /// How the snapshot went.
    pub fn shot(&self) -> &Shot {
        &self.taken.shot
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// As [`Profile::to_text`](crate::Profile::to_text) with 1.
    pub fn to_text(&self) -> String {
        groups::text(&self.groups)
    }

    /// As [`Profile::to_pprof`](crate::Profile::to_pprof).
    pub fn to_pprof(&self) -> Vec<u8> {
        pprof::encode(&self.groups, &self.taken, "goroutine")
    }

    /// As [`Profile::to_folded`](crate::Profile::to_folded).
    pub fn to_folded(&self) -> String {
        folded::text(&self.groups)
    }
}
