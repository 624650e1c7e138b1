//! Go's text form of a goroutine (R-TRACE-4, L-25).

use std::fmt::Write;

use gmp_executor::snapshot::{Status, TaskInfo};

/// One task: header, where it waits, who created it.
pub(crate) fn block(task: &TaskInfo) -> String {
    let mut text = header(task);
    text.push('\n');
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}(...)", frame(task));
    if let Some(at) = task.location {
        let _ = writeln!(text, "\t{}:{} +0x0", at.file(), at.line());
    }
    let parent = match task.parent {
        0 => String::new(),
        id => format!(" in goroutine {id}"),
    };
    let at = task.spawned_at;
    let _ = writeln!(
        text,
        "created by {}{parent}\n\t{}:{} +0x0",
        spawner(task),
        at.file(),
        at.line()
    );
    text
}

/// `goroutine 7 [IO wait, 3 minutes, locked to thread]:`
pub(crate) fn header(task: &TaskInfo) -> String {
    let mut text = format!("goroutine {} [{}", task.id, status(task));
    if task.suspended {
        text.push_str(" (scan)");
    }
    let minutes = task.waiting_ms / 60_000;
    if minutes >= 1 {
        let _ = write!(text, ", {minutes} minutes");
    }
    if task.locked {
        text.push_str(", locked to thread");
    }
    text.push_str("]:");
    text
}

fn status(task: &TaskInfo) -> &'static str {
    match task.status {
        Status::Runnable => "runnable",
        Status::Running => "running",
        Status::Syscall => "syscall",
        Status::Preempted => "preempted",
        Status::Waiting => task.reason.as_str(),
    }
}

/// The name of the outermost frame: the task's name or its future's type.
fn frame(task: &TaskInfo) -> &str {
    task.name.as_deref().unwrap_or(task.type_name)
}

fn spawner(task: &TaskInfo) -> &str {
    task.type_name
        .strip_suffix("::{{closure}}")
        .unwrap_or(task.type_name)
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
