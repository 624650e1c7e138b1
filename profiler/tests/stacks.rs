//! Stacks of waiting tasks. With frame pointers
//! (`RUSTFLAGS="-C force-frame-pointers=yes"`) they name every async function from
//! the leaf to the task, inlined ones too; without, dumps say how to get them. Both
//! builds run these tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gmp::runtime::{Builder, Runtime};
use gmp_profiler::{Profile, Status, park_stacks};

#[path = "support/dumps.rs"]
mod dumps;
#[path = "support/pprof.rs"]
mod pprof;

const LONG: Duration = Duration::from_secs(3600);

/// The switch is of the whole process: one test at a time.
fn switch(on: bool) -> (MutexGuard<'static, ()>, bool) {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let has = park_stacks(on).is_ok();
    (guard, has)
}

fn runtime() -> Runtime {
    Builder::new().procs(1).build().expect("a runtime")
}

fn settled(rt: &Runtime) -> Profile {
    loop {
        let tasks = Profile::of(rt.handle());
        if tasks.iter().all(|task| task.status == Status::Waiting) {
            return tasks;
        }
        std::thread::yield_now();
    }
}

async fn inner() {
    gmp::time::sleep(LONG).await; // at: inner
}

async fn middle() {
    inner().await; // at: middle
}

async fn outer() {
    middle().await; // at: outer
}

/// The line of this file that is marked with the name.
fn line_of(name: &str) -> usize {
    let mut lines = include_str!("stacks.rs").lines();
    let marked = lines.position(|line| line.ends_with(&format!("// at: {name}")));
    marked.expect("a mark") + 1
}

#[test]
fn a_stack_names_the_functions_from_the_leaf_to_the_task() {
    let (_one, has) = switch(true);
    let rt = runtime();
    drop(rt.spawn(outer()));
    let text = settled(&rt).to_text(2);
    let blocks = dumps::read(&text);
    assert_eq!(blocks.len(), 1);
    let block = &blocks[0];
    assert!(block.id > 0 && block.state == "sleep" && block.labels.is_empty());
    assert_eq!(block.created_by, "stacks::outer");
    if !has {
        assert_eq!(block.functions, ["stacks::outer::{{closure}}"]);
        return;
    }
    // Names need more debug information than lines do.
    let at = |name: &str| {
        let wanted = format!("tests/stacks.rs:{} ", line_of(name));
        let found = text.lines().position(|line| line.contains(&wanted));
        found.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    assert!(
        at("inner") < at("middle") && at("middle") < at("outer"),
        "{text}"
    );
    let runtime = |f: &String| f.contains("gmp_executor") || f.contains("panicking");
    assert!(!block.functions.iter().any(runtime), "{text}");
}

/// A stack is noted where the task waits anyway: a look at it is no poll.
#[test]
fn no_look_at_a_stack_polls_its_task() {
    let (_one, has) = switch(true);
    let polls = Arc::new(AtomicUsize::new(0));
    let counts = polls.clone();
    let counted = Builder::new().procs(1).on_task_poll_start(move |_| {
        counts.fetch_add(1, Ordering::Relaxed);
    });
    let rt = counted.build().expect("a runtime");
    drop(rt.spawn(outer()));
    settled(&rt);
    // A first poll that gave way was two.
    let before = polls.load(Ordering::Relaxed);
    for _ in 0..50 {
        let tasks = settled(&rt);
        assert!(tasks.iter().all(|task| task.stack.is_some() == has));
    }
    assert_eq!(polls.load(Ordering::Relaxed), before);
}

async fn foreign() -> u8 {
    let (_kept, receiver) = futures::channel::oneshot::channel();
    let _kept = Box::leak(Box::new(_kept));
    receiver.await.unwrap_or(0) // at: foreign
}

/// A leaf that is not gmp's: its wait begins with a clone of the waker.
#[test]
fn the_clone_of_a_waker_notes_the_stack_of_a_foreign_leaf() {
    let (_one, has) = switch(true);
    let rt = runtime();
    drop(rt.spawn(foreign()));
    drop(rt.spawn(gmp::waiting("somebody else", foreign())));
    let text = settled(&rt).to_text(2);
    let wanted = format!("tests/stacks.rs:{} ", line_of("foreign"));
    for state in ["waiting", "waiting: somebody else"] {
        let block = text
            .split("\n\n")
            .find(|block| block.contains(&format!("[{state}]")));
        let block = block.unwrap_or_else(|| panic!("no {state} in {text}"));
        assert_eq!(block.contains(&wanted), has, "{text}");
    }
}

/// Three tasks on one stack and one on another, whose waits are at the same place.
fn four(rt: &Runtime) -> Profile {
    (0..3).for_each(|_| drop(rt.spawn(outer())));
    drop(rt.spawn(inner()));
    settled(rt)
}

/// The functions of this file, by their marks, in the order of the lines found.
fn marks(lines: impl Iterator<Item = u64>) -> Vec<&'static str> {
    let marks = ["inner", "middle", "outer"];
    lines
        .filter_map(|line| marks.into_iter().find(|mark| line_of(mark) as u64 == line))
        .collect()
}

const WHOLE: [&str; 3] = ["inner", "middle", "outer"];

#[test]
fn groups_have_the_whole_stack() {
    let (_one, has) = switch(true);
    let rt = runtime();
    let tasks = four(&rt);
    let grouped = gmp_profiler::Grouped::of(rt.handle());
    for text in [tasks.to_text(1), grouped.to_text()] {
        let blocks: Vec<&str> = text
            .split("\n\n")
            .filter(|block| !block.is_empty())
            .collect();
        assert_eq!(blocks.len(), 2, "{text}");
        assert!(blocks[0].contains("\n3 @ 0x"), "{text}");
        assert!(blocks[1].starts_with("1 @ 0x"), "{text}");
        let stack = |block: &str| {
            let lines = block.lines().filter(|line| line.starts_with("#\t"));
            let lines =
                lines.filter_map(|line| line.split_once("tests/stacks.rs:")?.1.parse().ok());
            marks(lines)
        };
        assert_eq!(stack(blocks[0]), if has { &WHOLE[..] } else { &WHOLE[..1] });
        assert_eq!(stack(blocks[1]), WHOLE[..1]);
        for block in blocks {
            let named = block.lines().filter(|line| line.starts_with("#\t")).count();
            let counts = block
                .lines()
                .find(|line| line.contains(" @ "))
                .expect("a count");
            assert_eq!(counts.matches(" 0x").count(), named, "{block}");
        }
    }
}

#[test]
fn a_profile_has_the_whole_stack() {
    let (_one, has) = switch(true);
    let rt = runtime();
    four(&rt);
    let grouped = gmp_profiler::Grouped::of(rt.handle());
    let profile = pprof::read(&grouped.to_pprof());
    assert_eq!(profile.default, "goroutine");
    let samples = profile.samples;
    assert!(
        samples
            .iter()
            .all(|s| s.values.len() == profile.types.len())
    );
    let of = |count| samples.iter().find(|sample| sample.values[0] == count);
    let (three, one) = (of(3).expect("three alike"), of(1).expect("one"));
    let lines = |sample: &pprof::Sample| {
        let own = |frame: &&pprof::Frame| frame.file.ends_with("tests/stacks.rs");
        marks(sample.frames.iter().filter(own).map(|frame| frame.line))
    };
    assert_eq!(lines(three), if has { &WHOLE[..] } else { &WHOLE[..1] });
    assert_eq!(lines(one), WHOLE[..1]);
    let creator = three.frames.last().expect("frames");
    assert_eq!(creator.function, "created by stacks::outer");
    // Functions that have no name of their own are told apart.
    let mut names: Vec<&str> = three.frames.iter().map(|f| f.function.as_str()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

#[test]
fn folded_lines_have_the_whole_stack_root_first() {
    let (_one, has) = switch(true);
    let rt = runtime();
    let folded = four(&rt).to_folded();
    let three = folded
        .lines()
        .find(|line| line.ends_with(" 3"))
        .expect("three alike");
    let frames: Vec<&str> = three.split(';').collect();
    assert!(
        frames[0].starts_with("created by stacks::outer ("),
        "{three}"
    );
    let wait = format!("[sleep] profiler/tests/stacks.rs:{} 3", line_of("inner"));
    assert_eq!(frames.last(), Some(&wait.as_str()));
    let at = |name: &str| {
        let unnamed = format!("(stacks.rs:{})", line_of(name));
        let is = |frame: &&str| frame.contains(name) || frame.ends_with(&unnamed);
        frames[1..].iter().position(is)
    };
    if has {
        let found = ["outer", "middle", "inner"].map(|name| at(name).expect(three));
        assert!(found.is_sorted(), "{three}");
    } else {
        assert_eq!((frames.len(), at("outer")), (3, Some(0)), "{three}");
    }
}

#[cfg(feature = "flamegraph")]
#[test]
fn a_flame_graph_has_the_whole_stack() {
    let (_one, has) = switch(true);
    let rt = runtime();
    let tasks = four(&rt);
    let svg = tasks.to_svg().expect("drawn");
    // A box for each frame that the folded lines name.
    let boxes = svg.matches("<title>").count();
    assert!(boxes > if has { 6 } else { 5 }, "{svg}");
    assert!(svg.contains("[sleep]"), "{svg}");
}

#[test]
fn json_has_the_whole_stack() {
    let (_one, has) = switch(true);
    let rt = runtime();
    let json = four(&rt).to_json();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let mut found: Vec<Vec<&str>> = Vec::new();
    for task in json["tasks"].as_array().expect("tasks") {
        let stack = task["stack"].as_array().expect("a stack");
        let own = stack.iter().filter(|frame| {
            assert!(frame["function"].is_string());
            let file = frame["file"].as_str().expect("a file");
            file.ends_with("tests/stacks.rs")
        });
        found.push(marks(own.filter_map(|frame| frame["line"].as_u64())));
    }
    found.sort_by_key(Vec::len);
    if has {
        assert_eq!(found[0], WHOLE[..1]);
        assert!(found[1..].iter().all(|stack| *stack == WHOLE), "{found:?}");
    } else {
        assert!(found.iter().all(Vec::is_empty), "{found:?}");
    }
}

/// A name is a frame of its own, since no function tells it.
#[test]
fn a_named_task_keeps_its_name_below_its_stack() {
    let (_one, has) = switch(true);
    let rt = runtime();
    let named = gmp::task::Builder::new().name("a reader");
    drop(named.spawn_on(outer(), rt.handle()));
    let tasks = settled(&rt);
    let blocks = dumps::read(&tasks.to_text(2));
    let functions = &blocks[0].functions;
    assert_eq!(functions.last().map(String::as_str), Some("a reader"));
    assert_eq!(functions.len() > 1, has, "{functions:?}");
}

/// A task that waits again without the switch has its leaf alone, and one that has
/// ended leaves nothing behind.
#[test]
fn a_stack_is_that_of_the_last_wait() {
    let (_one, has) = switch(true);
    let rt = runtime();
    let (tx, rx) = gmp::chan::bounded::<()>(0);
    let task = rt.spawn(async move {
        rx.recv().await.expect("sent");
        rx.recv().await.expect("sent");
    });
    let found = settled(&rt);
    let stack = |tasks: &Profile| tasks.iter().next().and_then(|task| task.stack.clone());
    assert_eq!(stack(&found).is_some(), has);
    assert!(park_stacks(false).is_ok() == has);
    rt.block_on(tx.send(())).expect("it listens");
    let again = settled(&rt);
    assert!(stack(&again).is_none());
    // What was seen before can still be written.
    assert_eq!(dumps::read(&found.to_text(2)).len(), 1);
    rt.block_on(async {
        tx.send(()).await.expect("it listens");
        task.await.expect("no panic");
    });
    assert!(Profile::of(rt.handle()).is_empty());
}

#[test]
fn a_dump_says_how_to_get_stacks_that_are_missing() {
    let (_one, has) = switch(true);
    let rt = runtime();
    drop(rt.spawn(outer()));
    settled(&rt);
    let mut text = Vec::new();
    gmp_profiler::dump(&mut text).expect("written");
    let text = String::from_utf8(text).expect("text");
    let hint = text.contains("# no stacks of waiting tasks: ");
    assert_eq!(hint, !has, "{text}");
}
