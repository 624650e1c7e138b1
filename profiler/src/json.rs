//! The tasks as one JSON document, `"schema":1`.

use std::fmt::Write;
use std::panic::Location;

use gmp_executor::snapshot::TaskInfo;

use crate::labels::Labels;
use crate::profile::Taken;
use crate::symbols::Resolver;
use crate::{frames, waiting};

/// The document. New fields may come; none changes its meaning within a schema.
pub(crate) fn text(tasks: &[TaskInfo], taken: &Taken) -> String {
    let mut out = format!(
        "{{\"schema\":1,\"time_unix_ns\":{},\"took_ns\":{},\"mode\":\"{}\",\"stop_ns\":{},\"procs\":{},\"total\":{},\"tasks\":[",
        taken.unix_nanos(),
        taken.shot.wall.as_nanos(),
        taken.shot.mode,
        taken.shot.stop.as_nanos(),
        taken.procs,
        tasks.len(),
    );
    let mut resolver = Resolver::default();
    for (at, task) in tasks.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        object(&mut out, task, &mut resolver);
    }
    out.push_str("]}\n");
    out
}

fn object(out: &mut String, task: &TaskInfo, resolver: &mut Resolver) {
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{{\"id\":{},\"parent\":{},\"state\":",
        task.id, task.parent
    );
    string(out, &frames::state(task));
    out.push_str(",\"name\":");
    optional(out, task.name.as_deref());
    out.push_str(",\"type\":");
    string(out, task.type_name);
    out.push_str(",\"waits_for\":");
    optional(out, waiting::name_of(task));
    out.push_str(",\"joins\":");
    match task.joins() {
        Some(id) => {
            let _ = write!(out, "{id}");
        }
        None => out.push_str("null"),
    }
    out.push_str(",\"labels\":{");
    for (at, (key, value)) in Labels::of(task).iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        string(out, key);
        out.push(':');
        string(out, value);
    }
    out.push_str("},\"location\":");
    place(out, task.location);
    out.push_str(",\"spawned_at\":");
    place(out, Some(task.spawned_at));
    out.push_str(",\"stack\":[");
    for (at, frame) in resolver.of(task).iter().enumerate() {
        out.push_str(if at > 0 {
            ",{\"function\":"
        } else {
            "{\"function\":"
        });
        string(out, &frame.function);
        out.push_str(",\"file\":");
        string(out, &frame.file);
        // Writing to a string cannot fail.
        let _ = write!(out, ",\"line\":{}}}", frame.line);
    }
    out.push(']');
    let _ = write!(
        out,
        ",\"waiting_ms\":{},\"bytes\":{},\"wakers\":{},\"handles\":{},\"root\":{},\"locked\":{},\
         \"suspended\":{},\"cancelled\":{},\"forgotten\":{},\"dropped_by\":",
        task.waiting_ms,
        task.size,
        task.wakers,
        task.handles,
        task.root,
        task.locked,
        task.suspended,
        task.cancelled,
        task.forgotten,
    );
    let dropper = task.dropped_by.as_ref().map(ToString::to_string);
    optional(out, dropper.as_deref());
    out.push('}');
}

fn place(out: &mut String, at: Option<&Location<'_>>) {
    let Some(at) = at else {
        out.push_str("null");
        return;
    };
    out.push_str("{\"file\":");
    string(out, at.file());
    // Writing to a string cannot fail.
    let _ = write!(out, ",\"line\":{},\"column\":{}}}", at.line(), at.column());
}

fn optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => string(out, text),
        None => out.push_str("null"),
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::string;

    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        string(&mut out, "a\"b\\c\nd\u{e9}");
        assert_eq!(out, "\"a\\\"b\\\\c\\u000ad\u{e9}\"");
    }
}
