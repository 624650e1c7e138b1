//! Recorded programs of the real Go runtime must run in the same order here, tick for tick.
//!
//! `GMP_TRACES` names another folder of programs in the form that `traces/README.md` describes.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gmp::runtime::Rules;

use crate::interp::World;
use crate::one_p::{RULES, Run, run};
use crate::program::Program;

/// A run shorter than this cannot have met anything that the runtime does by the clock.
const UNDISTURBED: Duration = Duration::from_millis(5);

/// Runs of a program that differs in runs that were longer than that.
const ATTEMPTS: u32 = 3;

fn folder() -> PathBuf {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/traces");
    env::var_os("GMP_TRACES").map_or(recorded, PathBuf::from)
}

/// The program files in `folder` and below, by name.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension() == Some(OsStr::new("json"))
            && path.file_name() != Some(OsStr::new("index.json"))
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn load(path: &Path) -> Result<Program, String> {
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    Program::parse(&text)
}

/// How a replay went.
enum Replay {
    Identical,
    Differs(String),
    /// Its thread is left behind, so no other run is to be trusted.
    Hung(String),
}

fn replay(program: &Arc<Program>, rules: Rules) -> Replay {
    let mut attempt = 1;
    loop {
        let world = World::new(Arc::clone(program));
        let taken = match run(rules, Arc::clone(&world).replay()) {
            Run::Ended((), taken) => taken,
            Run::Panicked => return Replay::Differs(world.report_broken("a panic")),
            Run::Hung => return Replay::Hung(world.report_broken("nothing happens any more")),
        };
        let Some(report) = world.report() else {
            return Replay::Identical;
        };
        // The traces know no time, and the runtime is built to let nothing happen by the clock. A
        // machine that stops a run for long may still have disturbed it: such a run, and only
        // such a run, is taken again. A wrong order stays wrong in all of them.
        if taken <= UNDISTURBED || attempt == ATTEMPTS {
            return Replay::Differs(report);
        }
        attempt += 1;
    }
}

/// Rules R-SCHED-1, R-SCHED-3, R-SCHED-5, R-RUNQ-2 to R-RUNQ-6, R-RUNQ-9, R-G-5, R-G-8, R-G-10.
/// Source: recorded runs of Go with one P; both rule sets must repeat them.
#[test]
fn every_program_runs_as_in_go() {
    let folder = folder();
    let files = files(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    assert!(
        !files.is_empty(),
        "{}: no program in this folder",
        folder.display()
    );
    let programs: Vec<(PathBuf, Arc<Program>)> = files
        .into_iter()
        .map(|path| match load(&path) {
            Ok(program) => (path, Arc::new(program)),
            Err(e) => panic!("{}: not a program: {e}", path.display()),
        })
        .collect();

    let mut identical = 0;
    let mut first = None;
    for (path, program) in &programs {
        let mut same = true;
        let mut hung = false;
        for rules in RULES {
            let report = match replay(program, rules) {
                Replay::Identical => continue,
                Replay::Differs(report) => report,
                Replay::Hung(report) => {
                    hung = true;
                    report
                }
            };
            same = false;
            first.get_or_insert_with(|| format!("{} under {rules:?}: {report}", path.display()));
            break;
        }
        identical += usize::from(same);
        if hung {
            break;
        }
    }

    // Not `println!`: the count is for whoever runs the tests, also when they pass.
    let summary = format!("{} programs, {identical} identical\n", programs.len());
    io::stdout()
        .write_all(summary.as_bytes())
        .expect("standard output takes a line");
    if let Some(report) = first {
        panic!("the first difference: {report}");
    }
}

/// What the runs of `program` report.
fn reports(program: Program) -> Vec<Option<String>> {
    let program = Arc::new(program);
    let report = |rules| match replay(&program, rules) {
        Replay::Identical => None,
        Replay::Differs(report) | Replay::Hung(report) => Some(report),
    };
    RULES.into_iter().map(report).collect()
}

/// The replay itself: ops and operators that no recorded program uses do what the format says.
#[test]
fn ops_without_a_recorded_program_are_replayed() {
    let text = r##"{
        "tick0": 0, "end": "all", "chans": [[1, 2]], "wgs": 0, "mutexes": 0,
        "tasks": {"main": [
            ["set", "x", ["*", 3, 2]],
            ["loop", "i", 5, [
                ["if", ["!=", "i", ["/", "x", 3]], [["log", "i"]], [["break"]]]]],
            ["log", ["-", "x", "i"]],
            ["send", 0, 7], ["send", 0, 8],
            ["range", 0, [["log", "r"], ["if", ["==", "r", 8], [["break"]]]]],
            ["forever", [["log", "#"], ["exit"]]],
            ["log", 99]]},
        "ev": [0,0,0, 0,8,0, 0,8,1, 0,12,4, 0,14,7, 0,15,0, 0,16,8, 0,17,0,
               0,18,0, 0,19,7, 0,20,7, 0,18,0, 0,19,8, 0,20,8, 0,28,0, 0,1,0],
        "dt": "0000000000000000"}"##;
    let program = Program::parse(text).expect("the text is a program");
    for report in reports(program) {
        assert_eq!(report, None);
    }
}

/// The replay itself: a trace that differs from the run in any way is reported at its place.
#[test]
fn a_trace_of_another_run_is_refused() {
    const PROGRAM: &str = r#"{
        "tick0": 1, "end": "all", "chans": [], "wgs": 0, "mutexes": 0,
        "tasks": {"main": [["spawn", "w", 1], ["gosched"]], "w": [["log", "a"]]},
        "ev": [0,0,0, 0,2,0, 0,3,1, 0,4,0, 1,0,0, 1,2,1, 1,1,0, 0,5,0, 0,1,0],
        "dt": "000000010"}"#;
    let altered = |from: &str, to: &str| {
        assert_eq!(PROGRAM.matches(from).count(), 1, "{from} is one place");
        Program::parse(&PROGRAM.replace(from, to)).expect("the text is a program")
    };
    for report in reports(altered("000000010", "000000010")) {
        assert_eq!(report, None);
    }
    let wrong = [
        ("000000010", "000000020", "event 7 of 9"),
        ("1,2,1,", "1,2,3,", "event 5 of 9"),
        ("1,2,1,", "0,2,1,", "event 5 of 9"),
    ];
    for (from, to, place) in wrong {
        for report in reports(altered(from, to)) {
            let report = report.expect("the trace is not that of the run");
            assert!(report.starts_with(place), "{report}");
        }
    }
    let mut short = altered("000000010", "000000010");
    short.trace.pop();
    let mut long = altered("000000010", "000000010");
    long.trace.extend(long.trace.last().copied());
    for (program, got) in [(short, "expected: the end"), (long, "got: the end")] {
        for report in reports(program) {
            let report = report.expect("the trace is not that of the run");
            assert!(report.contains(got), "{report}");
        }
    }
}
