//! What a check for leaks passes over, and how long it waits.

use std::collections::HashSet;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gmp_executor::snapshot::{Status, TaskInfo};
use gmp_executor::{Handle, WaitReason};

use crate::frames;
use crate::labels::Labels;
use crate::profile::Profile;

/// The options of goleak, as far as tasks have what they ask for.
///
/// Where a function is asked for, a place will do: `"worker.rs:39"` is line 39 of
/// any file whose path ends in `worker.rs`.
#[derive(Debug, Clone)]
#[must_use = "options do nothing until they are given to a check"]
pub struct Options {
    ignored: Vec<Ignored>,
    ids: HashSet<u64>,
    pub(super) patience: Duration,
    pub(super) only_proven: bool,
    pub(super) run_on_failure: bool,
    cleanup: Option<Cleanup>,
}

/// Clones share it: it is done once.
#[derive(Clone)]
struct Cleanup(Arc<Mutex<Option<Todo>>>);

type Todo = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Cleanup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cleanup(..)")
    }
}

#[derive(Debug, Clone)]
enum Ignored {
    Name(String),
    Top(String),
    Any(String),
    CreatedBy(String),
    Waits(WaitReason),
    Label(String, String),
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl Options {
    /// Nothing is passed over, and half a second is waited.
    pub fn new() -> Options {
        Options {
            ignored: Vec::new(),
            ids: HashSet::new(),
            patience: Duration::from_millis(500),
            only_proven: false,
            run_on_failure: false,
            cleanup: None,
        }
    }

    /// Passes over tasks that wait at the place, or whose name or outermost
    /// function is this.
    pub fn ignore_top(self, function: impl Into<String>) -> Options {
        self.and(Ignored::Top(function.into()))
    }

    /// Passes over tasks of this name, see `task::Builder::name`.
    pub fn ignore_name(self, name: impl Into<String>) -> Options {
        self.and(Ignored::Name(name.into()))
    }

    /// Passes over tasks that have the function or the place anywhere in their
    /// stack, the place of their spawn included.
    pub fn ignore_any(self, function: impl Into<String>) -> Options {
        self.and(Ignored::Any(function.into()))
    }

    /// Passes over tasks that were spawned at the place or written in the
    /// function.
    pub fn ignore_created_by(self, function: impl Into<String>) -> Options {
        self.and(Ignored::CreatedBy(function.into()))
    }

    /// Passes over tasks that wait for this.
    pub fn ignore_reason(self, reason: WaitReason) -> Options {
        self.and(Ignored::Waits(reason))
    }

    /// Passes over tasks that wait under this label, see [`labels`](crate::labels).
    pub fn ignore_label(self, key: impl Into<String>, value: impl Into<String>) -> Options {
        self.and(Ignored::Label(key.into(), value.into()))
    }

    /// Passes over the tasks that this thread's runtime has now.
    pub fn ignore_current(self) -> Options {
        self.ignore_current_of(&Handle::current())
    }

    pub(super) fn ignore_current_of(mut self, handle: &Handle) -> Options {
        self.ids
            .extend(Profile::glance(handle).iter().map(|task| task.id));
        self
    }

    /// How long tasks may take to end before they count as left over.
    pub fn retry_for(mut self, patience: Duration) -> Options {
        self.patience = patience;
        self
    }

    /// Only counts tasks that can never end, see
    /// [`Class::Unreachable`](super::Class::Unreachable).
    pub fn only_proven(mut self) -> Options {
        self.only_proven = true;
        self
    }

    /// [`verify_main`](super::verify_main) looks though the run has failed.
    pub fn run_on_failure(mut self) -> Options {
        self.run_on_failure = true;
        self
    }

    /// Calls `f` once, when [`verify_none`](super::verify_none) or the check of a
    /// [`guard`](super::guard()) has looked, whatever it found: before its panic.
    pub fn cleanup(mut self, f: impl FnOnce() + Send + 'static) -> Options {
        self.cleanup = Some(Cleanup(Arc::new(Mutex::new(Some(Box::new(f))))));
        self
    }

    pub(super) fn clean_up(&self) {
        let Some(Cleanup(shared)) = &self.cleanup else {
            return;
        };
        let f = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(f) = f {
            f();
        }
    }

    fn and(mut self, ignored: Ignored) -> Options {
        self.ignored.push(ignored);
        self
    }

    /// Whether the task is passed over.
    pub(super) fn ignores(&self, task: &TaskInfo) -> bool {
        self.ids.contains(&task.id) || self.ignored.iter().any(|ignored| ignored.fits(task))
    }
}

impl Ignored {
    fn fits(&self, task: &TaskInfo) -> bool {
        match self {
            Ignored::Name(wanted) => task.name.as_deref() == Some(wanted),
            Ignored::Top(wanted) => is_on_top(task, wanted),
            Ignored::Any(wanted) => is_on_top(task, wanted) || has_created(task, wanted),
            Ignored::CreatedBy(wanted) => has_created(task, wanted),
            Ignored::Label(key, value) => Labels::of(task).get(key) == Some(value),
            Ignored::Waits(reason) => task.status == Status::Waiting && task.reason == *reason,
        }
    }
}

fn is_on_top(task: &TaskInfo, wanted: &str) -> bool {
    [
        task.name.as_deref().unwrap_or(task.type_name),
        task.type_name,
        frames::spawner(task),
    ]
    .contains(&wanted)
        || is_at(frames::place(task), wanted)
}

fn has_created(task: &TaskInfo, wanted: &str) -> bool {
    frames::spawner(task) == wanted || is_at(task.spawned_at, wanted)
}

/// Whether `wanted` names the place: the end of a path, a colon and a line.
fn is_at(at: &Location<'_>, wanted: &str) -> bool {
    let Some((file, line)) = wanted.rsplit_once(':') else {
        return false;
    };
    let Some(directory) = at.file().strip_suffix(file) else {
        return false;
    };
    line.parse() == Ok(at.line()) && (directory.is_empty() || directory.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::is_at;

    #[test]
    fn a_place_is_the_end_of_a_path_and_a_line() {
        let here = Location::caller();
        let line = here.line();
        assert!(is_at(here, &format!("options.rs:{line}")));
        assert!(is_at(here, &format!("leak/options.rs:{line}")));
        assert!(is_at(here, &format!("{}:{line}", here.file())));
        assert!(!is_at(here, &format!("tions.rs:{line}")));
        assert!(!is_at(here, &format!("options.rs:{}", line + 1)));
        assert!(!is_at(here, "options.rs"));
    }
}
