//! Go's text form of a goroutine, `debug=2` (R-TRACE-4, L-25).
//!
//! Tools that read Go's dumps read this one: after the header come pairs of a
//! function with `(...)` and a line that a tab begins, the creator last.

use std::fmt::Write;

use gmp_executor::snapshot::TaskInfo;

use crate::frames::{self, Frame};
use crate::labels::Labels;
use crate::symbols::Resolver;

/// One task: header, its stack or where it waits, who created it.
pub(crate) fn block(task: &TaskInfo, resolver: &mut Resolver) -> String {
    let mut text = header(task);
    text.push('\n');
    for frame in frames::stack(task, resolver) {
        let Frame {
            function,
            file,
            line,
            ..
        } = frame;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{function}(...)\n\t{file}:{line} +0x0");
    }
    text.push_str(&creator(task));
    text
}

/// Who created a task, the end of its block.
pub(crate) fn creator(task: &TaskInfo) -> String {
    let parent = match task.parent {
        0 => String::new(),
        id => format!(" in goroutine {id}"),
    };
    let at = task.spawned_at;
    format!(
        "created by {}{parent}\n\t{}:{} +0x0\n",
        frames::spawner(task),
        at.file(),
        at.line()
    )
}

/// Who dropped the last waker of a task that nobody can wake, a line begun by `#`;
/// empty if that is not known.
pub(crate) fn orphaned(task: &TaskInfo) -> String {
    task.dropped_by
        .as_ref()
        .map_or_else(String::new, |dropper| {
            format!(
                "# the last waker of goroutine {} was dropped by {dropper}\n",
                task.id
            )
        })
}

/// Tasks with an empty line between each two.
pub(crate) fn all(tasks: &[TaskInfo]) -> String {
    let mut resolver = Resolver::default();
    let block = |task| block(task, &mut resolver);
    tasks.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// `goroutine 7 [IO wait, 3 minutes, locked to thread] {tenant: a}:`
pub(crate) fn header(task: &TaskInfo) -> String {
    let labels = Labels::of(task);
    let space = if labels.is_empty() { "" } else { " " };
    format!(
        "goroutine {} [{}]{space}{labels}:",
        task.id,
        frames::brackets(task)
    )
}

#[cfg(test)]
mod tests {
    use gmp_executor::snapshot::{self, Status, TaskInfo};
    use gmp_executor::{Builder, WaitReason};

    use super::header;

    /// The only task of a fresh runtime, to be changed into any.
    fn sample() -> TaskInfo {
        let runtime = Builder::new().procs(1).build().expect("a runtime");
        let task = runtime.spawn(std::future::pending::<()>());
        let tasks = snapshot::tasks(runtime.handle());
        task.abort();
        tasks.into_iter().next().expect("it is listed or queued")
    }

    /// Rule R-TRACE-4, T-90. Source: Go's goroutineheader.
    #[test]
    fn t90_headers_are_gos() {
        let base = sample();
        let task = |status: Status, reason: WaitReason, change: fn(&mut TaskInfo)| {
            let mut task = base.clone();
            (task.id, task.status, task.reason) = (7, status, reason);
            change(&mut task);
            header(&task)
        };
        let (waiting, runnable) = (Status::Waiting, Status::Runnable);
        let receive = WaitReason::ChanReceive;
        assert_eq!(
            task(waiting, receive, |_| ()),
            "goroutine 7 [chan receive]:"
        );
        assert_eq!(
            task(waiting, WaitReason::IoWait, |t| (t.waiting_ms, t.locked) =
                (180_000, true)),
            "goroutine 7 [IO wait, 3 minutes, locked to thread]:"
        );
        assert_eq!(
            task(runnable, WaitReason::Foreign, |t| t.suspended = true),
            "goroutine 7 [runnable (scan)]:"
        );
        // Less than a minute is not told, nor why a runnable task once waited.
        assert_eq!(
            task(waiting, WaitReason::Sleep, |t| t.waiting_ms = 59_999),
            "goroutine 7 [sleep]:"
        );
        assert_eq!(task(runnable, receive, |_| ()), "goroutine 7 [runnable]:");
        assert_eq!(
            task(Status::Running, receive, |_| ()),
            "goroutine 7 [running]:"
        );
        assert_eq!(
            task(Status::Syscall, receive, |_| ()),
            "goroutine 7 [syscall]:"
        );
    }
}
