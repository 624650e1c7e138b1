//! A flame graph of the tasks as SVG: the wider, the more of them.

use std::io;

use gmp_executor::snapshot::TaskInfo;
use inferno::flamegraph::{self, Options};

use crate::{folded, groups};

/// The drawing.
pub(crate) fn svg(tasks: &[TaskInfo], title: String) -> io::Result<String> {
    let mut options = Options::default();
    options.title = title;
    options.count_name = "tasks".to_owned();
    let folded = folded::text(&groups::groups(tasks));
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut svg).map_err(io::Error::other)?;
    String::from_utf8(svg).map_err(io::Error::other)
}
