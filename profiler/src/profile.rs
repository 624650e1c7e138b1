//! The tasks of a runtime at one moment, and the forms in which they are written.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gmp_executor::Handle;
use gmp_executor::snapshot::{self, Polls, Shot, TaskInfo};

#[cfg(feature = "flamegraph")]
use crate::flame;
use crate::{folded, groups, json, pprof, text};

/// When and how a snapshot was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) at: SystemTime,
    pub(crate) shot: Shot,
    pub(crate) procs: usize,
}

impl Taken {
    /// Calls `each` with every task of `handle`'s runtime, some at a time, in no order.
    pub(crate) fn of(handle: &Handle, each: impl FnMut(&mut Vec<TaskInfo>)) -> Taken {
        Taken {
            at: SystemTime::now(),
            shot: snapshot::visit(handle, Polls::Asked, each),
            procs: handle.procs(),
        }
    }

    /// How it was taken, in a line.
    pub(crate) fn line(&self) -> String {
        format!("gmp snapshot {} procs={}", self.shot, self.procs)
    }

    pub(crate) fn unix_nanos(&self) -> u64 {
        let since = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// All tasks of a runtime at one moment, in the order of ids: see [`tasks`].
///
/// ```
/// # gmp_executor::Handle::current().block_on(async {
/// let waiting = gmp_executor::spawn(std::future::pending::<()>());
/// let tasks = gmp_profiler::tasks();
/// assert!(tasks.iter().any(|task| task.id == waiting.id().get()));
/// assert!(tasks.to_text(1).starts_with("goroutine profile: total "));
/// waiting.abort();
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Profile {
    tasks: Vec<TaskInfo>,
    taken: Taken,
}

/// Every task of this thread's runtime. The world stops for some microseconds; then
/// the tasks are looked at one after another while the program goes on, and what
/// changes meanwhile is seen as it was.
pub fn tasks() -> Profile {
    Profile::of(&Handle::current())
}

impl Profile {
    /// Every task of `handle`'s runtime.
    pub fn of(handle: &Handle) -> Profile {
        Profile::with(handle, Polls::Asked)
    }

    /// As [`Profile::of`], for looks that come often: no thread is interrupted.
    pub(crate) fn glance(handle: &Handle) -> Profile {
        Profile::with(handle, Polls::Named)
    }

    fn with(handle: &Handle, polls: Polls) -> Profile {
        let at = SystemTime::now();
        let (tasks, shot) = snapshot::take(handle, polls);
        let procs = handle.procs();
        Profile {
            tasks,
            taken: Taken { at, shot, procs },
        }
    }

    /// The tasks.
    pub fn iter(&self) -> std::slice::Iter<'_, TaskInfo> {
        self.tasks.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How long the snapshot took.
    pub fn took(&self) -> Duration {
        self.taken.shot.wall
    }

    /// How the snapshot went: whether it is one moment, how long the world stood
    /// still, and who did not give way.
    ///
    /// ```
    /// # gmp_executor::Handle::current().block_on(async {
    /// let tasks = gmp_profiler::tasks();
    /// assert_eq!(tasks.shot().tasks, tasks.len());
    /// assert!(tasks.shot().stop <= tasks.shot().wall);
    /// # });
    /// ```
    pub fn shot(&self) -> &Shot {
        &self.taken.shot
    }

    /// The same as lines that begin with `#`, which readers of Go's dumps pass over.
    ///
    /// ```
    /// # gmp_executor::Handle::current().block_on(async {
    /// let tasks = gmp_profiler::tasks();
    /// assert!(tasks.head().starts_with("# gmp snapshot mode="));
    /// # });
    /// ```
    pub fn head(&self) -> String {
        let mut text = format!("# {}\n", self.taken.line());
        for straggler in &self.shot().stragglers {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# straggler: {straggler}");
        }
        text
    }

    /// Keeps the tasks for which `keep` is true.
    ///
    /// ```
    /// # gmp_executor::Handle::current().block_on(async {
    /// let mut tasks = gmp_profiler::tasks();
    /// tasks.retain(|task| task.waiting_ms >= 60_000);
    /// assert!(tasks.to_text(2).is_empty(), "nobody has waited for a minute");
    /// # });
    /// ```
    pub fn retain(&mut self, keep: impl FnMut(&TaskInfo) -> bool) {
        self.tasks.retain(keep);
    }

    /// The same without labels, for readers that know those of Go before 1.27 alone.
    pub fn without_labels(mut self) -> Profile {
        self.tasks.iter_mut().for_each(|task| task.labels = 0);
        self
    }

    /// Go's text forms. `debug` 2 and more: a block for each task, which readers of
    /// Go's dumps understand; for those that only know the endings of Go's own files,
    /// such as panicparse, `sed 's/\.rs:/.rs.go:/'` lends them one. 1, and 0: equal
    /// tasks together, the largest group first; the addresses name places, and code where there
    /// are stacks. There a label whose key is `state` is called `label.state`, beside our own.
    ///
    /// ```
    /// # gmp_executor::Handle::current().block_on(async {
    /// let profile = gmp_profiler::tasks();
    /// assert!(profile.to_text(1).starts_with("goroutine profile: total "));
    /// assert!(profile.to_text(2).starts_with("goroutine "));
    /// # });
    /// ```
    pub fn to_text(&self, debug: u32) -> String {
        if debug < 2 {
            groups::text(&groups::groups(&self.tasks))
        } else {
            text::all(&self.tasks)
        }
    }

    /// A profile for `go tool pprof` and whatever else reads its format, not
    /// compressed. Sample types: `goroutine` (count), `wait` (nanoseconds) and
    /// `space` (bytes). Each sample has a label `state`, such as `waiting`, one that tells
    /// the `reason` of a wait, such as `chan receive`, and those of its tasks; one of
    /// theirs that has such a key is called `label.state` or `label.reason`. How the
    /// snapshot went is the profile's comment.
    ///
    /// ```no_run
    /// # gmp_executor::Handle::current().block_on(async {
    /// std::fs::write("tasks.pb", gmp_profiler::tasks().to_pprof())?;
    /// // go tool pprof -tagfocus=state=waiting -sample_index=wait -top tasks.pb
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn to_pprof(&self) -> Vec<u8> {
        pprof::encode(&groups::groups(&self.tasks), &self.taken, "goroutine")
    }

    /// Folded stacks, a line for each group: creator, function or park stack, and
    /// wait, the outermost first, and a count.
    ///
    /// ```
    /// # gmp_executor::Handle::current().block_on(async {
    /// let waiting = gmp_executor::spawn(std::future::pending::<()>());
    /// let folded = gmp_profiler::tasks().to_folded();
    /// assert!(folded.lines().all(|line| line.starts_with("created by ")));
    /// waiting.abort();
    /// # });
    /// ```
    pub fn to_folded(&self) -> String {
        folded::text(&groups::groups(&self.tasks))
    }

    /// A flame graph as SVG: the width of a box is a number of tasks.
    ///
    /// # Errors
    /// If there is no task to draw.
    #[cfg(feature = "flamegraph")]
    pub fn to_svg(&self) -> std::io::Result<String> {
        flame::svg(&self.tasks, format!("{} tasks", self.tasks.len()))
    }

    /// One JSON document: `"schema":1`, the time, and an object for each task; its
    /// `stack` is empty if none was noted ([`park_stacks`](crate::park_stacks())).
    ///
    /// ```
    /// # gmp_executor::Handle::current().block_on(async {
    /// let json = gmp_profiler::tasks().to_json();
    /// assert!(json.starts_with("{\"schema\":1,"));
    /// # });
    /// ```
    pub fn to_json(&self) -> String {
        json::text(&self.tasks, &self.taken)
    }
}

impl<'a> IntoIterator for &'a Profile {
    type Item = &'a TaskInfo;
    type IntoIter = std::slice::Iter<'a, TaskInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
