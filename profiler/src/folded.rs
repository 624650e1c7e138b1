//! Folded stacks: `root;…;leaf count`, the input of flame graph tools.

use crate::frames;
use crate::groups::Group;
use crate::symbols::Resolver;

/// One line for each group of tasks: creator, functions, and the state with the
/// labels and the place of the wait.
pub(crate) fn text(groups: &[Group]) -> String {
    let mut resolver = Resolver::default();
    let line = |group: &Group| {
        let task = &group.task;
        let root = frames::creator(task);
        let created = format!("{} ({}:{})", root.function, root.file, root.line);
        let functions: String = frames::stack(task, &mut resolver)
            .iter()
            .rev()
            .map(|frame| plain(&frame.distinct()) + ";")
            .collect();
        let (state, labels, place) = (group.state(), group.labels(), frames::place(task));
        let waits = format!("[{state}]{labels} {}:{}", place.file(), place.line());
        format!(
            "{};{functions}{} {}\n",
            plain(&created),
            plain(&waits),
            group.count
        )
    };
    groups.iter().map(line).collect()
}

/// A name without the characters that part frames and lines.
fn plain(name: &str) -> String {
    name.replace(|c: char| c == ';' || c.is_control(), ":")
}
