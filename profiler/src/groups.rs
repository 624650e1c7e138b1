//! Tasks that do the same, counted together, and Go's text form of them,
//! `debug=1`: a count, the addresses of the frames, and the frames.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::panic::Location;
use std::ptr;

use gmp_executor::WaitReason;
use gmp_executor::snapshot::{Status, TaskInfo};

use crate::frames::{self, Frame};
use crate::labels::{self, Labels};
use crate::leak::Class;
use crate::quote::{Quoted, Way};
use crate::symbols::Resolver;

/// Tasks in one state at one place, proven leaks apart, on one stack, created at one
/// place, with the same labels.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// One of them.
    pub(crate) task: TaskInfo,
    pub(crate) count: u64,
    /// Milliseconds that its tasks have waited, together.
    pub(crate) waiting_ms: u64,
    /// Bytes of its tasks, together.
    pub(crate) bytes: u64,
}

impl Group {
    pub(crate) fn state(&self) -> Cow<'static, str> {
        frames::marked_state(&self.task)
    }

    pub(crate) fn labels(&self) -> Labels {
        Labels::of(&self.task)
    }

    /// The leaf first, the creator last.
    pub(crate) fn frames(&self, resolver: &mut Resolver) -> Vec<Frame> {
        let mut frames = frames::stack(&self.task, resolver);
        frames.push(frames::creator(&self.task));
        frames
    }
}

/// Groups that grow task by task.
#[derive(Default)]
pub(crate) struct Groups {
    found: Vec<Group>,
    places: HashMap<Key, usize>,
    /// The task before, and its group: neighbours are often alike.
    last: Option<(Alike, usize)>,
}

/// What makes two tasks without names equal, though not all that are equal.
type Alike = (
    Status,
    WaitReason,
    u64,
    usize,
    usize,
    usize,
    &'static str,
    u16,
    bool,
);

fn alike(task: &TaskInfo) -> Option<Alike> {
    task.name.is_none().then_some((
        task.status,
        task.reason,
        task.target,
        stack(task),
        task.location.map_or(0, address),
        address(task.spawned_at),
        task.type_name,
        task.labels,
        Class::of(task) == Class::Unreachable,
    ))
}

/// What tells stacks apart: equal ones are kept once.
fn stack(task: &TaskInfo) -> usize {
    let stack = task.stack.as_ref();
    stack.map_or(0, |stack| stack.as_ptr().addr())
}

/// Equal places may have several addresses, since each crate has its copy: so the
/// places themselves are compared.
type Key = (
    Cow<'static, str>,
    Cow<'static, str>,
    usize,
    &'static Location<'static>,
    &'static Location<'static>,
    u16,
);

impl Groups {
    pub(crate) fn add(&mut self, task: &TaskInfo) {
        let alike = alike(task);
        let at = match self.last {
            Some((last, at)) if Some(last) == alike => at,
            _ => self.place(task),
        };
        self.last = alike.map(|alike| (alike, at));
        let group = &mut self.found[at];
        group.count += 1;
        group.waiting_ms += u64::from(task.waiting_ms);
        group.bytes += task.size as u64;
    }

    fn place(&mut self, task: &TaskInfo) -> usize {
        let function = match &task.name {
            Some(name) => Cow::Owned(name.clone()),
            None => Cow::Borrowed(task.type_name),
        };
        let (state, place) = (frames::marked_state(task), frames::place(task));
        let key = (
            state,
            function,
            stack(task),
            place,
            task.spawned_at,
            task.labels,
        );
        let found = &mut self.found;
        *self.places.entry(key).or_insert_with(|| {
            found.push(Group {
                task: task.clone(),
                count: 0,
                waiting_ms: 0,
                bytes: 0,
            });
            found.len() - 1
        })
    }

    /// The groups, the largest first.
    pub(crate) fn sorted(mut self) -> Vec<Group> {
        // Stable, so that equal counts keep the order in which they came.
        self.found
            .sort_by_key(|group| std::cmp::Reverse(group.count));
        self.found
    }
}

/// The groups, the largest first.
pub(crate) fn groups(tasks: &[TaskInfo]) -> Vec<Group> {
    let mut groups = Groups::default();
    tasks.iter().for_each(|task| groups.add(task));
    groups.sorted()
}

/// A number that stands for a place: where its description lies in the program.
fn address(at: &'static Location<'static>) -> usize {
    ptr::from_ref(at).addr()
}

/// Go's `debug=1`.
pub(crate) fn text(groups: &[Group]) -> String {
    let total: u64 = groups.iter().map(|group| group.count).sum();
    let mut text = format!("goroutine profile: total {total}\n");
    let mut resolver = Resolver::default();
    for group in groups {
        let frames = group.frames(&mut resolver);
        // Writing to a string cannot fail.
        let _ = write!(text, "{} @", group.count);
        for frame in &frames {
            let _ = write!(text, " {:#x}", frame.address);
        }
        let _ = write!(text, "\n# labels: {{\"state\":{}", quoted(&group.state()));
        for (key, value) in group.labels().iter() {
            let key = labels::beside(&["state"], key);
            let _ = write!(text, ", {}:{}", quoted(&key), quoted(value));
        }
        text.push_str("}\n");
        for frame in frames {
            let Frame {
                address,
                function,
                file,
                line,
            } = frame;
            let _ = writeln!(text, "#\t{address:#x}\t{function}+0x0\t{file}:{line}");
        }
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> Quoted<'_> {
    Quoted(text, Way::Strconv)
}
