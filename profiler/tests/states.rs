//! The tasks of the example `zoo`, one in each state, as Go's text shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[path = "support/dumps.rs"]
mod dumps;
#[path = "../examples/zoo/states.rs"]
mod states;

/// The line that ends in this mark.
fn place(state: &str) -> String {
    let mut lines = include_str!("../examples/zoo/states.rs").lines();
    let marked = lines.position(|line| line.ends_with(&format!("// here: {state}")));
    let line = marked.unwrap_or_else(|| panic!("no mark {state}")) + 1;
    format!("examples/zoo/states.rs:{line} +0x0\n")
}

/// Check 1 of the design: each state is told in Go's word, and each wait with the line
/// of its leaf.
#[gmp::test(procs = 2)]
async fn each_state_has_gos_word_and_its_line() {
    let on = Arc::new(AtomicBool::new(true));
    let mut zoo = states::waiting().await.expect("a socket");
    zoo.extend(states::busy(&on));
    let text = states::settled(zoo.len()).await.to_text(2);
    on.store(false, Ordering::Relaxed);
    zoo.iter().for_each(gmp::task::JoinHandle::abort);

    let waits = [
        "sleep",
        "IO wait",
        "chan send",
        "chan receive",
        "sync.Mutex.Lock",
        "sync.RWMutex.RLock",
        "sync.RWMutex.Lock",
        "semacquire",
        "waiting: redis",
        "sync.WaitGroup.Wait",
        "sync.Cond.Wait",
        "join",
        "select",
        "blocking",
        "waiting (leaked)",
    ];
    let blocks = dumps::read(&text);
    for state in waits {
        let named = |block: &&dumps::Block| block.functions == [state];
        let block = blocks.iter().find(named);
        let block = block.unwrap_or_else(|| panic!("no {state} in {text}"));
        assert_eq!(block.state, state, "{text}");
        assert!(block.labels.is_empty() && !block.created_by.is_empty());
        let begin = text.find(&format!("goroutine {} [", block.id));
        let rest = &text[begin.expect("its header")..];
        let block = &rest[..rest.find("\n\n").unwrap_or(rest.len())];
        assert!(block.contains(&place(state)), "{block}");
    }
    // They have never waited, so that no list has them.
    for state in ["running", "syscall"] {
        let named = |block: &&dumps::Block| block.functions == [state];
        let block = blocks.iter().find(named);
        let block = block.unwrap_or_else(|| panic!("no {state} in {text}"));
        assert_eq!(block.state, state, "{text}");
        let creator = format!(" in goroutine {}", gmp::task::id());
        let begin = text.find(&format!("goroutine {} [", block.id));
        let rest = &text[begin.expect("its header")..];
        let block = &rest[..rest.find("\n\n").unwrap_or(rest.len())];
        assert!(block.contains(&creator), "{block}");
        assert_eq!(
            block.contains(&place("syscall")),
            state == "syscall",
            "{block}"
        );
    }
}

/// Of `#[gmp::main]` as well, which calls the same: the program's own line, and none of
/// the runtime's.
#[gmp::test] // here: the first task
async fn the_first_task_is_created_where_the_program_says() {
    let tasks = gmp_profiler::tasks();
    let first = tasks.iter().find(|task| task.root).expect("this one");
    let mut lines = include_str!("states.rs").lines();
    let line = lines.position(|line| line.ends_with("// here: the first task"));
    let line = line.expect("the mark") as u32 + 1;
    assert!(first.spawned_at.file().ends_with("states.rs"), "{first:?}");
    assert_eq!(first.spawned_at.line(), line, "{first:?}");
}
