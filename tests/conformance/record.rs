//! Compares a run with its trace while it goes on.
//!
//! The first event that differs stops the program: by then the tasks are on another course, and
//! a course that Go never took need not end at all.

use std::fmt::{self, Write};
use std::sync::Arc;

use crate::program::{Event, Program};

/// Events shown before and after the place of a difference.
const CONTEXT: usize = 5;

/// Why a run is not the recorded one.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Another event than the trace has at this place.
    Event(Event),
    /// The run ended here.
    EarlyEnd,
    /// What the program did has no meaning.
    Fault(String),
}

/// The trace, how far the run has come in it, and the first problem.
#[derive(Debug)]
pub(crate) struct Record {
    program: Arc<Program>,
    /// Task of every instance, by number.
    instances: Vec<usize>,
    position: usize,
    tick: u32,
    problem: Option<Problem>,
    over: bool,
}

impl Record {
    pub(crate) fn new(program: Arc<Program>) -> Self {
        let tick = program.tick0;
        Record {
            program,
            instances: Vec::new(),
            position: 0,
            tick,
            problem: None,
            over: false,
        }
    }

    /// The number of a new instance of `task`.
    pub(crate) fn instance(&mut self, task: usize) -> usize {
        self.instances.push(task);
        self.instances.len() - 1
    }

    /// Compares one event, at this schedtick. False if it differs.
    pub(crate) fn event(&mut self, who: usize, code: i64, value: i64, tick: u32) -> bool {
        let instance = i64::try_from(who).expect("instances are few");
        let ticks = tick.wrapping_sub(self.tick);
        let event = Event {
            instance,
            code,
            value,
            ticks,
        };
        if self.program.trace.get(self.position) != Some(&event) {
            self.stop(Some(Problem::Event(event)));
            return false;
        }
        self.tick = tick;
        self.position += 1;
        true
    }

    /// The program is over as it should be; the trace must be at its end.
    pub(crate) fn end(&mut self) {
        let early = self.position < self.program.trace.len();
        self.stop(early.then_some(Problem::EarlyEnd));
    }

    pub(crate) fn fault(&mut self, what: String) {
        self.stop(Some(Problem::Fault(what)));
    }

    /// Nothing counts after the end; only the first problem is one.
    fn stop(&mut self, problem: Option<Problem>) {
        if !self.over {
            self.over = true;
            self.problem = problem;
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// What is wrong and where, in words; `None` if the run was the recorded one.
    pub(crate) fn report(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| self.describe(problem))
    }

    /// The place that a run has come to which did not end by itself.
    pub(crate) fn report_broken(&self, what: &str) -> String {
        self.report()
            .unwrap_or_else(|| self.describe(&Problem::Fault(what.into())))
    }

    fn describe(&self, problem: &Problem) -> String {
        let mut text = String::new();
        self.write(problem, &mut text)
            .expect("a string takes all that is written");
        text
    }

    fn write(&self, problem: &Problem, text: &mut String) -> fmt::Result {
        let trace = &self.program.trace;
        let at = self.position;
        writeln!(text, "event {at} of {}", trace.len())?;
        for (index, event) in trace
            .iter()
            .enumerate()
            .take(at)
            .skip(at.saturating_sub(CONTEXT))
        {
            writeln!(text, "  {index:>8}: {}", self.words(*event))?;
        }
        match trace.get(at) {
            Some(event) => writeln!(text, "  expected: {}", self.words(*event))?,
            None => writeln!(text, "  expected: the end")?,
        }
        match problem {
            Problem::Event(event) => writeln!(text, "       got: {}", self.words(*event))?,
            Problem::EarlyEnd => writeln!(text, "       got: the end")?,
            Problem::Fault(what) => writeln!(text, "       got: {what}")?,
        }
        for (index, event) in trace.iter().enumerate().skip(at + 1).take(CONTEXT) {
            writeln!(text, "  {index:>8}: {}", self.words(*event))?;
        }
        Ok(())
    }

    fn words(&self, event: Event) -> String {
        let Event {
            instance,
            code,
            value,
            ticks,
        } = event;
        let task = usize::try_from(instance)
            .ok()
            .and_then(|who| self.instances.get(who));
        let task = task.map(|&task| &self.program.tasks[task]);
        let name = task.map_or("not spawned", |task| task.name.as_str());
        let what = match code {
            0 => "begins".to_owned(),
            1 => "ends".to_owned(),
            _ => {
                let number = code / 2;
                let op = usize::try_from(number - 1).ok();
                let op = task.zip(op).and_then(|(task, op)| task.ops.get(op));
                let side = if code % 2 == 0 { "before" } else { "after" };
                format!("{side} op {number} ({})", op.map_or("?", String::as_str))
            }
        };
        format!("instance {instance} ({name}) {what}, value {value}, schedtick +{ticks}")
    }
}
