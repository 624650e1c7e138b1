//! The leaks of Go's goker corpus, and those that only Rust has, told as tasks:
//! which of them still leak, which the check finds, and which are proven.
//!
//! Every story is told twice: with its mistake, and repaired. The check must find
//! the tasks of the one and nothing in the other. The table in `docs/LEAKS.md` is
//! what this test saw; `GMP_WRITE_LEAKS=1` writes it anew.

use std::fmt::Write;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gmp::runtime::Builder;
use gmp_profiler::leak::{self, Class, Options, Report};
use gmp_profiler::{Profile, Status, TaskInfo, WaitReason};

#[path = "goker/channels.rs"]
mod channels;
#[path = "goker/go.rs"]
mod go;
#[path = "goker/locks.rs"]
mod locks;
#[path = "goker/owned.rs"]
mod owned;
#[path = "goker/wakers.rs"]
mod wakers;

type Story = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One pattern.
struct Case {
    /// Its name in the corpus.
    name: &'static str,
    /// What goes wrong.
    what: &'static str,
    /// Tells it with the mistake (true) or repaired.
    tell: fn(bool) -> Story,
    /// Tasks that the mistake leaves; Go's version always leaves some.
    left: usize,
    /// How many of them are proven to be leaks.
    proven: usize,
}

/// Runs a story on a runtime of its own; what a check finds afterwards.
fn found(story: Story) -> Result<(), Report> {
    let panics = Arc::new(AtomicUsize::new(0));
    let count = panics.clone();
    let rt = Builder::new()
        .procs(1)
        .panic_handler(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .expect("a runtime");
    rt.block_on(story);
    // Everything goes as far as it can: a task that waits for anything but a
    // timer then waits for ever.
    let rests =
        |task: &TaskInfo| task.status == Status::Waiting && task.reason != WaitReason::Sleep;
    while !Profile::of(rt.handle()).iter().all(rests) {
        std::thread::yield_now();
    }
    // A proof may need a wait that is a tick old: timers move the tick.
    rt.block_on(gmp::time::sleep(Duration::from_millis(2)));
    assert_eq!(
        panics.load(Ordering::Relaxed),
        0,
        "a task of the story panicked"
    );
    leak::find_in(rt.handle(), &Options::new().retry_for(Duration::ZERO))
}

/// Tells a case both ways; its row of the table.
fn row(case: &Case) -> String {
    // Some mistakes need two tasks in a certain order, which a fairness tick or a lost
    // P may turn round: then the story is told again.
    let mut told = Vec::new();
    let (left, proven) = loop {
        let report = found((case.tell)(true)).err();
        let counts = report.as_ref().map_or((0, 0), |report| {
            (report.leaks().len(), report.count(Class::Unreachable))
        });
        if counts == (case.left, case.proven) {
            break counts;
        }
        told.push((counts, report));
        assert!(told.len() < 10, "{}: {told:?}", case.name);
    };
    let repaired = found((case.tell)(false));
    assert!(repaired.is_ok(), "{} repaired: {repaired:?}", case.name);
    let verdict = match (left, proven) {
        (0, _) => "ends by itself",
        (_, 0) => "found",
        (left, proven) if left == proven => "found, proven",
        _ => "found, proven in part",
    };
    format!(
        "| {} | {} | {left} | {proven} | {verdict} |\n",
        case.name, case.what
    )
}

fn table() -> String {
    let mut text = String::new();
    let (mut leaking, mut proven, mut all, mut names) = (0, 0, 0, 0);
    let chapters: [(&str, &[Case]); 5] = [
        ("Locks", locks::CASES),
        ("Channels with both ends kept", channels::CASES),
        ("Channels whose other end is dropped", owned::CASES),
        ("gmp's own channels and locks", go::CASES),
        ("Wakers", wakers::CASES),
    ];
    for (title, cases) in chapters {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "### {title}\n\n| pattern | mistake | tasks left | proven | verdict |\n|---|---|---|---|---|\n"
        );
        for case in cases {
            text.push_str(&row(case));
            all += 1;
            names += case.name.matches('#').count();
            leaking += usize::from(case.left > 0);
            proven += usize::from(case.proven > 0);
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "{all} mistakes, which tell {names} programs of the corpus. {leaking} leak here, and the check finds every one; of the {all} repaired \
         stories it says nothing.\nIn {proven} a task is proven to be stuck for ever."
    );
    text
}

const BEGIN: &str = "<!-- table -->\n\n";
const END: &str = "\n<!-- end of the table -->";

#[test]
fn the_table_of_leaks_is_what_the_check_finds() {
    let table = table();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/LEAKS.md");
    let text = std::fs::read_to_string(&path).expect("docs/LEAKS.md");
    let (head, rest) = text.split_once(BEGIN).expect("the mark before the table");
    let (written, tail) = rest.split_once(END).expect("the mark after the table");
    if std::env::var_os("GMP_WRITE_LEAKS").is_some() {
        let text = format!("{head}{BEGIN}{table}{END}{tail}");
        std::fs::write(&path, text).expect("written");
    } else {
        assert_eq!(written, table, "GMP_WRITE_LEAKS=1 writes the table anew");
    }
}
