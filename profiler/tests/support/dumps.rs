//! A reader of Go's dumps, by the rules of goleak.

/// What it takes from one block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) id: u64,
    /// What stands between the brackets.
    pub(crate) state: String,
    /// The labels with their braces, if there are any.
    pub(crate) labels: String,
    pub(crate) functions: Vec<String>,
    pub(crate) created_by: String,
}

/// Reads a dump: a header, functions whose arguments are cut off at the last
/// parenthesis, each before a line with a tab, the creator at the end. What does
/// not begin with `goroutine ` is passed over.
#[track_caller]
pub(crate) fn read(text: &str) -> Vec<Block> {
    text.split("\n\n")
        .filter(|block| block.starts_with("goroutine "))
        .map(block)
        .collect()
}

#[track_caller]
fn block(text: &str) -> Block {
    let mut lines = text.lines().take_while(|line| !line.starts_with('#'));
    let header = lines.next().expect("a header");
    let (id, rest) = header
        .strip_prefix("goroutine ")
        .and_then(|rest| rest.strip_suffix(':'))
        .and_then(|rest| rest.split_once(" ["))
        .unwrap_or_else(|| panic!("no header: {header}"));
    let (state, labels) = match rest.split_once("] {") {
        Some((state, labels)) => (state, format!("{{{labels}")),
        None => (rest.strip_suffix(']').expect("a bracket"), String::new()),
    };
    let mut read = Block {
        id: id.parse().expect("a number"),
        state: state.to_owned(),
        labels,
        functions: Vec::new(),
        created_by: String::new(),
    };
    while let Some(line) = lines.next() {
        if let Some(creator) = line.strip_prefix("created by ") {
            let creator = creator.split(" in goroutine ").next().expect("a name");
            creator.clone_into(&mut read.created_by);
        } else {
            let (function, arguments) = line.rsplit_once('(').expect("arguments");
            assert_eq!(arguments, "...)");
            read.functions.push(function.to_owned());
        }
        let place = lines.next().expect("a place after each function");
        let place = place.strip_prefix('\t').expect("a tab");
        let (place, offset) = place.rsplit_once(" +0x").expect("an offset");
        assert!(u64::from_str_radix(offset, 16).is_ok(), "{offset}");
        let (file, line) = place.rsplit_once(':').expect("file and line");
        assert!(!file.is_empty() && line.parse::<u32>().is_ok(), "{place}");
    }
    read
}
