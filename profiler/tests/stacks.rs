//! Stacks of waiting tasks. With frame pointers
//! (`RUSTFLAGS="-C force-frame-pointers=yes"`) they name every async function from
//! the leaf to the task, inlined ones too; without, dumps say how to get them. Both
//! builds run these tests.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gmp::runtime::{Builder, Runtime};
use gmp_profiler::{Profile, Status, park_stacks};

#[path = "support/dumps.rs"]
mod dumps;

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
        let mut lines = include_str!("stacks.rs").lines();
        let marked = lines.position(|line| line.ends_with(&format!("// at: {name}")));
        let wanted = format!("tests/stacks.rs:{} ", marked.expect("a mark") + 1);
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
