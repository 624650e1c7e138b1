//! What a check found, in goleak's words.

use std::fmt;

use gmp_executor::WaitReason;
use gmp_executor::snapshot::TaskInfo;

use super::Class;
use crate::{frames, text};

/// A task that is left over.
#[derive(Debug, Clone)]
pub struct Leak {
    /// What it was doing.
    pub task: TaskInfo,
    /// How certain it is.
    pub class: Class,
}

/// The tasks that are left over, at least one.
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) leaks: Vec<Leak>,
}

impl Report {
    /// The tasks, in the order of ids.
    pub fn leaks(&self) -> &[Leak] {
        &self.leaks
    }

    /// How many of them are of a class.
    pub fn count(&self, class: Class) -> usize {
        self.leaks.iter().filter(|leak| leak.class == class).count()
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("found unexpected goroutines:\n[")?;
        for (at, leak) in self.leaks.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            leak.fmt(f)?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.task;
        write!(
            f,
            "Goroutine {} in state {}, with {} on top of the stack:\n{}",
            task.id,
            frames::state(task),
            frames::function(task),
            text::block(task)
        )?;
        match self.class {
            Class::Suspected if task.reason == WaitReason::Join && task.target != 0 => {
                writeln!(f, "# waits for the end of goroutine {}", task.target)
            }
            Class::Suspected => Ok(()),
            Class::Abortable => writeln!(f, "# no waker of it exists: only an abort can end it"),
            Class::Unreachable => {
                writeln!(f, "# proven: no waker and no handle of it exists")
            }
        }
    }
}
