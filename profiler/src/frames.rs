//! What all formats say of a task: its state in Go's words, and its stack.
//!
//! The stack of a task is the one that was noted where it waits; without that, it is
//! what its header tells: the leaf that it waits at and the type of its future.

use std::borrow::Cow;
use std::fmt::Write;
use std::panic::Location;
use std::ptr;

use gmp_executor::snapshot::{Status, TaskInfo};

use crate::leak::Class;
use crate::quote::{self, Way};
use crate::symbols::Resolver;
use crate::waiting;

/// One line of a stack.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Frame {
    /// Of the code, or where the description of the place lies in the program.
    pub(crate) address: usize,
    pub(crate) function: String,
    pub(crate) file: Cow<'static, str>,
    pub(crate) line: u32,
}

impl Frame {
    fn at(function: String, at: &'static Location<'static>) -> Frame {
        Frame {
            address: ptr::from_ref(at).addr(),
            function,
            file: Cow::Borrowed(at.file()),
            line: at.line(),
        }
    }

    /// The function, told from others of its name: line tables call every async
    /// function `{async_fn#0}`, and a reader that counts by names would add them up.
    pub(crate) fn distinct(&self) -> Cow<'_, str> {
        if !self.function.starts_with('{') {
            return Cow::Borrowed(&self.function);
        }
        let file = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        Cow::Owned(format!("{} ({file}:{})", self.function, self.line))
    }
}

/// The stack of the task, the leaf first, never empty.
pub(crate) fn stack(task: &TaskInfo, resolver: &mut Resolver) -> Vec<Frame> {
    let mut frames = resolver.of(task).to_vec();
    match &task.name {
        _ if frames.is_empty() => {
            frames.push(Frame::at(function(task).into_owned(), place(task)));
        }
        // No function of the stack tells it.
        Some(_) => frames.push(Frame::at(function(task).into_owned(), task.spawned_at)),
        None => {}
    }
    frames
}

/// Who created the task, as the frame below its stack.
pub(crate) fn creator(task: &TaskInfo) -> Frame {
    Frame::at(format!("created by {}", spawner(task)), task.spawned_at)
}

/// Where the task is: the call of its leaf, else where it began.
pub(crate) fn place(task: &TaskInfo) -> &'static Location<'static> {
    task.location.unwrap_or(task.spawned_at)
}

/// The name of the task's outermost function: its own name or its future's type. Never
/// empty, and nothing that readers take for another line of a dump.
pub(crate) fn function(task: &TaskInfo) -> Cow<'_, str> {
    let name = task.name.as_deref().filter(|name| !name.trim().is_empty());
    let name = name.map_or(Cow::Borrowed(task.type_name), in_a_line);
    if name.starts_with("goroutine ") || name.starts_with("created by ") {
        Cow::Owned(format!("\"{name}\""))
    } else {
        name
    }
}

/// A name of the program's choice without line ends and other control characters:
/// readers take forms apart by lines, and XML has no place for most of them. Some read no
/// line beyond 64 KiB, so one that is very long is cut.
fn in_a_line(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 1024;
    let Some(end) = name.char_indices().nth(LONGEST).map(|(at, _)| at) else {
        return plain_line(name);
    };
    Cow::Owned(plain_line(&name[..end]).into_owned() + "...")
}

fn plain_line(name: &str) -> Cow<'_, str> {
    if !name.contains(char::is_control) {
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_control() {
            // Writing to a string cannot fail.
            let _ = quote::escaped(&mut text, c, Way::Strconv);
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// The function in which the future was written, if its type tells.
pub(crate) fn spawner(task: &TaskInfo) -> &str {
    task.type_name
        .strip_suffix("::{{closure}}")
        .unwrap_or("gmp::spawn")
}

/// What a task does, one word for all that wait.
pub(crate) fn status(task: &TaskInfo) -> &'static str {
    match task.status {
        Status::Runnable => "runnable",
        Status::Running => "running",
        Status::Syscall => "syscall",
        Status::Preempted => "preempted",
        Status::Waiting => "waiting",
    }
}

/// Go's word for what a task does, or for what it waits, with the name of a foreign wait.
pub(crate) fn state(task: &TaskInfo) -> Cow<'static, str> {
    if task.status != Status::Waiting {
        return Cow::Borrowed(status(task));
    }
    match waiting::name_of(task) {
        Some(name) => Cow::Owned(format!("{}: {}", task.reason.as_str(), bracketed(name))),
        None => Cow::Borrowed(task.reason.as_str()),
    }
}

/// A name for between brackets, which it must not close.
fn bracketed(name: &str) -> String {
    in_a_line(name).replace('[', "(").replace(']', ")")
}

/// The same, with Go's mark of a proven leak.
pub(crate) fn marked_state(task: &TaskInfo) -> Cow<'static, str> {
    match Class::of(task) {
        Class::Unreachable => Cow::Owned(format!("{} (leaked)", state(task))),
        _ => state(task),
    }
}

/// What goes between the brackets of Go's header.
pub(crate) fn brackets(task: &TaskInfo) -> String {
    let mut text = marked_state(task).into_owned();
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
