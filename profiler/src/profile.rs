//! The forms of a profile under the names that a user of pprof looks for.

use crate::tasks::Tasks;

/// What [`tasks`](crate::tasks()) gives.
pub type Profile = Tasks;

impl Profile {
    /// Go's text forms: `debug` 1, and 0, puts equal tasks together and the
    /// largest group first; 2 and more writes a block for each task, which
    /// readers of Go's dumps understand. For those that only know the endings of
    /// Go's own files, such as panicparse, `sed 's/\.rs:/.rs.go:/'` lends them
    /// one.
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
            self.groups()
        } else {
            self.text()
        }
    }

    /// A profile for `go tool pprof` and whatever else reads its format, not
    /// compressed. Sample types: `goroutine` (count), `wait` (nanoseconds) and
    /// `space` (bytes); each sample has a label `state`.
    pub fn to_pprof(&self) -> Vec<u8> {
        self.pprof()
    }

    /// Folded stacks, a line for each group: creator, function and wait, the
    /// outermost first, and a count.
    pub fn to_folded(&self) -> String {
        self.folded()
    }

    /// One JSON document: `"schema":1`, the time, and an object for each task.
    pub fn to_json(&self) -> String {
        self.json()
    }

    /// A flame graph as SVG: the width of a box is a number of tasks.
    ///
    /// # Errors
    /// If there is no task to draw.
    #[cfg(feature = "flamegraph")]
    pub fn to_svg(&self) -> std::io::Result<String> {
        self.flame_graph()
    }
}
