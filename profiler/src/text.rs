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
