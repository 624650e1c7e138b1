//! What a check found, in goleak's words.

use std::fmt;

use gmp_executor::Handle;
use gmp_executor::cycle::{self, Cycle};
use gmp_executor::snapshot::TaskInfo;

use super::Class;
use crate::symbols::Resolver;
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
    leaks: Vec<Leak>,
    cycles: Vec<Cycle>,
    suspected: Vec<Cycle>,
}

impl Report {
    /// A report on these, which wait in a circle perhaps.
    pub(super) fn new(handle: &Handle, mut leaks: Vec<Leak>) -> Report {
        let touches = |cycle: &Cycle| leaks.iter().any(|leak| cycle.contains(leak.task.id));
        let (mut cycles, mut suspected) = (cycle::find(handle), cycle::suspected(handle));
        cycles.retain(touches);
        suspected.retain(touches);
        for leak in &mut leaks {
            if cycles.iter().any(|cycle| cycle.contains(leak.task.id)) {
                leak.class = Class::Cycle;
            }
        }
        Report {
            leaks,
            cycles,
            suspected,
        }
    }

    /// The circles that some of the tasks wait in.
    pub fn cycles(&self) -> &[Cycle] {
        &self.cycles
    }

    /// The circles that some of them wait in as it seems, see
    /// [`suspected_cycles`](super::suspected_cycles).
    pub fn suspected_cycles(&self) -> &[Cycle] {
        &self.suspected
    }

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
        for cycle in self.cycles.iter().chain(&self.suspected) {
            cycle.fmt(f)?;
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
            text::block(task, &mut Resolver::default())
        )?;
        match self.class {
            Class::Suspected => match task.joins() {
                Some(id) => writeln!(f, "# waits for the end of goroutine {id}"),
                None => Ok(()),
            },
            Class::Cycle => writeln!(f, "# waits in a cycle: only an abort can end it"),
            Class::Abortable => writeln!(f, "# no waker of it exists: only an abort can end it"),
            Class::Unreachable => {
                writeln!(f, "# proven: no waker and no handle of it exists")
            }
        }?;
        f.write_str(&text::orphaned(task))
    }
}
