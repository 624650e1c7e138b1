//! `docs/MIGRATING.md` is checked here. Each of its blocks of code is a file below
//! `migrating/`, one directory a column: it compiles as a module, and its tests run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[path = "support/quic.rs"]
mod quic;

mod migrating {
    mod gmp {
        mod blocking;
        mod builder;
        mod cancel_on_drop;
        mod channel;
        mod descriptor;
        mod diagnostics;
        mod dns;
        mod executor;
        mod files;
        mod http;
        mod installed;
        mod join_set;
        mod library;
        mod lines;
        mod local;
        mod nested;
        mod net;
        mod parts;
        mod paused;
        mod permits;
        mod process;
        mod quic;
        mod router;
        mod select;
        mod select_tokio;
        mod setup;
        mod signals;
        mod spawn;
        mod sync;
        mod task_local;
        mod tests;
        mod thread;
        mod time;
    }
    mod smol {
        mod blocking;
        mod cancel_on_drop;
        mod channel;
        mod descriptor;
        mod executor;
        mod files;
        mod join_set;
        mod lines;
        mod local;
        mod nested;
        mod net;
        mod process;
        mod setup;
        mod spawn;
        mod time;
    }
    mod tokio {
        mod blocking;
        mod builder;
        mod channel;
        mod dns;
        mod files;
        mod http;
        mod join_set;
        mod library;
        mod lines;
        mod local;
        mod nested;
        mod net;
        mod parts;
        mod permits;
        mod process;
        mod quic;
        mod select;
        mod setup;
        mod signals;
        mod spawn;
        mod sync;
        mod task_local;
        mod tests;
        mod thread;
        mod time;
    }
}

const COLUMNS: [(&str, &str); 3] = [("gmp:", "gmp"), ("smol:", "smol"), ("Tokio:", "tokio")];

/// The snippets of one column, by name.
fn snippets(column: &str) -> BTreeMap<String, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/migrating");
    let files = fs::read_dir(dir.join(column)).expect("a directory a column");
    let snippet = |path: &Path| {
        let source = fs::read_to_string(path).expect("a source file");
        let (_, rest) = source.split_once("// snippet\n").expect("a beginning");
        let (snippet, _) = rest.split_once("// end\n").expect("an end");
        let name = path.file_stem().expect("a name").to_string_lossy();
        (name.into_owned(), snippet.to_owned())
    };
    files
        .map(|file| snippet(&file.expect("readable").path()))
        .collect()
}

/// The blocks of code in `text`, each with the line that names its column.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut last = "";
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let inside = lines.by_ref().take_while(|&line| line != "```");
            let code = inside.map(|line| format!("{line}\n")).collect();
            match line {
                "```rust" => blocks.push((last, code)),
                "```toml" | "```text" => {}
                other => panic!("a block that is not checked: {other}"),
            }
        }
        if !line.is_empty() {
            last = line;
        }
    }
    blocks
}

#[test]
fn every_block_of_the_guide_is_a_snippet_and_every_snippet_is_in_the_guide() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MIGRATING.md");
    let guide = fs::read_to_string(guide).expect("the guide");
    let columns = COLUMNS.map(|(title, column)| (title, snippets(column)));
    let mut shown = BTreeSet::new();
    for (title, code) in blocks(&guide) {
        let Some((_, snippets)) = columns.iter().find(|(column, _)| *column == title) else {
            panic!("no column is called {title:?}; it is above\n{code}");
        };
        let Some((name, _)) = snippets.iter().find(|(_, snippet)| **snippet == code) else {
            panic!("no snippet of {title} is\n{code}");
        };
        assert!(shown.insert((title, name)), "{title} {name} stands twice");
    }
    for (title, snippets) in &columns {
        for name in snippets.keys() {
            assert!(shown.contains(&(title, name)), "{title} {name} is missing");
        }
    }
}

#[test]
fn every_snippet_is_compiled() {
    for (_, column) in COLUMNS {
        let modules: String = snippets(column)
            .keys()
            .map(|name| format!("        mod {name};\n"))
            .collect();
        let module = format!("    mod {column} {{\n{modules}    }}\n");
        assert!(include_str!("migrating.rs").contains(&module), "{module}");
    }
}
