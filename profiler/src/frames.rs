//! What all formats say of a task: its state in Go's words, and its stack.
//!
//! The stack of a task is what its header tells: the leaf that it waits at, the
//! type of its future, and the place of its spawn.

use std::borrow::Cow;
use std::fmt::Write;
use std::panic::Location;

use gmp_executor::snapshot::{Status, TaskInfo};

use crate::leak::Class;
use crate::waiting;

/// One line of a stack.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Frame {
    pub(crate) function: String,
    pub(crate) at: &'static Location<'static>,
}

/// The frames, the leaf first; the last one says who created the task.
pub(crate) fn frames(task: &TaskInfo) -> [Frame; 2] {
    [
        Frame {
            function: function(task).to_owned(),
            at: place(task),
        },
        Frame {
            function: format!("created by {}", spawner(task)),
            at: task.spawned_at,
        },
    ]
}

/// Where the task is: the call of its leaf, else where it began.
pub(crate) fn place(task: &TaskInfo) -> &'static Location<'static> {
    task.location.unwrap_or(task.spawned_at)
}

/// The name of the task's outermost function: its own name or its future's type.
pub(crate) fn function(task: &TaskInfo) -> &str {
    task.name.as_deref().unwrap_or(task.type_name)
}

/// The function in which the future was written, if its type tells.
pub(crate) fn spawner(task: &TaskInfo) -> &str {
    task.type_name
        .strip_suffix("::{{closure}}")
        .unwrap_or("gmp::spawn")
}

/// Go's word for what a task does, with the name of a foreign wait.
pub(crate) fn state(task: &TaskInfo) -> Cow<'static, str> {
    match task.status {
        Status::Runnable => Cow::Borrowed("runnable"),
        Status::Running => Cow::Borrowed("running"),
        Status::Syscall => Cow::Borrowed("syscall"),
        Status::Preempted => Cow::Borrowed("preempted"),
        Status::Waiting => match waiting::name_of(task) {
            Some(name) => Cow::Owned(format!("{}: {name}", task.reason.as_str())),
            None => Cow::Borrowed(task.reason.as_str()),
        },
    }
}

/// What goes between the brackets of Go's header.
pub(crate) fn brackets(task: &TaskInfo) -> String {
    let mut text = state(task).into_owned();
    if Class::of(task) == Class::Unreachable {
        text.push_str(" (leaked)");
    }
    if task.suspended {
        text.push_str(" (scan)");
    }
    let minutes = task.waiting_ms / 60_000;
    if minutes >= 1 {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {minutes} minutes");
    }
    if task.locked {
        text.push_str(", locked to thread");
    }
    text
}
