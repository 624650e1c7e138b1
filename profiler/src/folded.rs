//! Folded stacks: `root;…;leaf count`, the input of flame graph tools.

use crate::groups::Group;

/// One line for each group of tasks: creator, function, and the state with the
/// labels and the place of the wait.
pub(crate) fn text(groups: Vec<Group>) -> String {
    let line = |group: Group| {
        let [leaf, root] = &group.frames;
        let created = format!("{} ({}:{})", root.function, root.at.file(), root.at.line());
        let (state, labels) = (&group.state, group.labels);
        let waits = format!("[{state}]{labels} {}:{}", leaf.at.file(), leaf.at.line());
        format!(
            "{};{};{} {}\n",
            plain(&created),
            plain(&leaf.function),
            plain(&waits),
            group.count
        )
    };
    groups.into_iter().map(line).collect()
}

/// A name without the characters that part frames and lines.
fn plain(name: &str) -> String {
    name.replace([';', '\n', '\r'], ":")
}
