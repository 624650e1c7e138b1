//! The panic of a task that nobody awaits is told in Go's words, and the policies
//! that end more than the task. stderr and the end of a process can be seen from
//! outside only, so each story is told by a child.

#[path = "support/child.rs"]
mod child;
#[path = "support/eventually.rs"]
mod eventually;

use std::future::pending;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmp::runtime::{Builder, PanicPolicy, Runtime};
use gmp::task::JoinSet;

use eventually::eventually;

fn runtime() -> Runtime {
    Builder::new().procs(2).build().expect("a runtime")
}

/// Runs a test in a child. Without backtraces: std writes them in pieces, into which
/// the text of another thread may come.
fn run(name: &str, debug: Option<&str>) -> Output {
    let mut env = vec![("RUST_BACKTRACE", "0")];
    env.extend(debug.map(|value| ("GMP_DEBUG", value)));
    child::run(name, &env)
}

/// What the child wrote to stderr, by lines; it must have ended well.
#[track_caller]
fn told(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}: {text}", output.status);
    text.lines().map(str::to_owned).collect()
}

fn position(lines: &[String], what: &str) -> usize {
    let found = lines.iter().position(|line| line == what);
    found.unwrap_or_else(|| panic!("no line {what:?} in {lines:#?}"))
}

fn panicked(rt: &Runtime) -> u64 {
    rt.handle().metrics().panicked
}

// Told, and when.

#[test]
fn a_detached_tasks_panic_is_told_at_once() {
    const NAME: &str = "a_detached_tasks_panic_is_told_at_once";
    if child::is_child(NAME) {
        let rt = runtime();
        rt.spawn(async {
            gmp::task::yield_now().await;
            panic!("no user {}", 7)
        });
        eventually("it is told", || panicked(&rt) == 1);
        drop(rt);
        eprintln!("-- the end");
        return;
    }
    let lines = told(&run(NAME, None));
    let at = position(&lines, "panic: no user 7");
    assert!(at < position(&lines, "-- the end"), "{lines:#?}");
    assert_eq!(lines[at + 1], "");
    let header = &lines[at + 2];
    assert!(
        header.starts_with("goroutine ") && header.ends_with(" [running]:"),
        "{header}"
    );
    let function = &lines[at + 3];
    assert!(
        function.contains(NAME) && function.ends_with("(...)"),
        "{function}"
    );
    assert!(lines[at + 4].starts_with("\ttests/panic_policy.rs:"));
    assert!(lines[at + 5].starts_with("created by "), "{lines:#?}");
    assert!(lines[at + 6].starts_with("\ttests/panic_policy.rs:"));
    // The process's own hook has spoken as well, as for every panic.
    assert!(lines.iter().any(|line| line.contains("panicked at")));
}

#[test]
fn a_handle_that_goes_unread_tells_when_it_goes() {
    const NAME: &str = "a_handle_that_goes_unread_tells_when_it_goes";
    if child::is_child(NAME) {
        let rt = runtime();
        let handle = rt.spawn(async { panic!("kept") });
        eventually("it ends", || handle.is_finished());
        let mut set = JoinSet::new();
        set.spawn_on(async { panic!("in a set") }, rt.handle());
        eventually("both have ended", || panicked(&rt) == 2);
        drop(rt);
        eprintln!("-- before");
        drop(handle);
        eprintln!("-- between");
        drop(set);
        eprintln!("-- after");
        return;
    }
    let lines = told(&run(NAME, None));
    let order = [
        "-- before",
        "panic: kept",
        "-- between",
        "panic: in a set",
        "-- after",
    ];
    let at = order.map(|line| position(&lines, line));
    assert!(at.is_sorted(), "{lines:#?}");
}

#[test]
fn a_panic_that_is_awaited_is_the_awaiters() {
    const NAME: &str = "a_panic_that_is_awaited_is_the_awaiters";
    if child::is_child(NAME) {
        let rt = runtime();
        let error = rt.block_on(rt.spawn(async { panic!("awaited") }));
        assert!(error.expect_err("a panic").is_panic());
        // Of a task that is cancelled nothing is told either.
        let cancelled = rt.spawn(pending::<()>());
        cancelled.abort();
        drop(cancelled);
        // A root's panic goes on in the caller, who may catch it.
        let root = catch_unwind(AssertUnwindSafe(|| {
            rt.block_on(async { panic!("in a root") })
        }));
        assert!(root.is_err());
        assert_eq!(panicked(&rt), 1);
        return;
    }
    let lines = told(&run(NAME, None));
    let told = lines.iter().any(|line| line.starts_with("panic: "));
    assert!(!told, "{lines:#?}");
}

#[test]
fn a_local_tasks_panic_is_told_with_its_name_and_parent() {
    const NAME: &str = "a_local_tasks_panic_is_told_with_its_name_and_parent";
    if child::is_child(NAME) {
        let rt = runtime();
        rt.block_on(async {
            gmp::task::spawn_local(async { panic!("local") });
            gmp::task::yield_now().await;
        });
        eventually("the first has ended", || panicked(&rt) == 1);
        rt.block_on(async {
            gmp::spawn(async {
                gmp::task::Builder::new()
                    .name("reader")
                    .spawn(async { panic!("named") });
            })
            .await
            .expect("no panic");
        });
        eventually("both have ended", || panicked(&rt) == 2);
        drop(rt);
        return;
    }
    let lines = told(&run(NAME, None));
    let local = position(&lines, "panic: local");
    assert!(
        lines[local + 2].ends_with("[running, locked to thread]:"),
        "{lines:#?}"
    );
    let named = position(&lines, "panic: named");
    assert_eq!(lines[named + 3], "reader(...)");
    assert!(
        lines[named + 5].contains(" in goroutine "),
        "{}",
        lines[named + 5]
    );
}

#[test]
fn a_hook_and_a_handler_of_the_users_have_the_word() {
    const NAME: &str = "a_hook_and_a_handler_of_the_users_have_the_word";
    if child::is_child(NAME) {
        let seen = Arc::new(AtomicUsize::new(0));
        let hooked = seen.clone();
        std::panic::set_hook(Box::new(move |_| {
            hooked.fetch_add(1, Ordering::SeqCst);
        }));
        let handled = seen.clone();
        let rt = Builder::new()
            .procs(1)
            .panic_handler(move |_| {
                handled.fetch_add(10, Ordering::SeqCst);
            })
            .build()
            .expect("a runtime");
        rt.spawn(async { panic!("handled") });
        eventually("it has ended", || panicked(&rt) == 1);
        drop(rt);
        assert_eq!(seen.load(Ordering::SeqCst), 11);
        return;
    }
    let lines = told(&run(NAME, None));
    let told = lines.iter().any(|line| line.contains("panic"));
    assert!(!told, "{lines:#?}");
}

// The policies.

/// A task that panics while somebody holds its handle, and a root that would wait
/// for ever.
fn panic_beside_a_root(builder: Builder) {
    let rt = builder.procs(2).build().expect("a runtime");
    let held = rt.spawn(async { panic!("the end") });
    rt.block_on(pending::<()>());
    drop(held);
}

#[test]
fn abort_ends_the_process_as_go_does() {
    const NAME: &str = "abort_ends_the_process_as_go_does";
    if child::is_child(NAME) {
        panic_beside_a_root(Builder::new().panic_policy(PanicPolicy::Abort));
        return;
    }
    is_aborted(&run(NAME, None));
}

#[test]
fn the_environment_chooses_where_the_program_does_not() {
    const NAME: &str = "the_environment_chooses_where_the_program_does_not";
    if child::is_child(NAME) {
        match std::env::var("GMP_DEBUG").as_deref() {
            Ok("panic=abort") => panic_beside_a_root(Builder::new()),
            Ok("scheddetail=1,panic=shutdown") => {
                let ended = catch_unwind(|| panic_beside_a_root(Builder::new()));
                assert!(ended.is_err());
            }
            _ => {
                let error = Builder::new().build().expect_err("no such policy");
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(
                    error.to_string().contains("GMP_DEBUG=panic=maybe"),
                    "{error}"
                );
                let chosen = Builder::new().panic_policy(PanicPolicy::Log).build();
                assert!(chosen.is_err(), "a misspelt setting is never passed over");
            }
        }
        return;
    }
    is_aborted(&run(NAME, Some("panic=abort")));
    for value in ["scheddetail=1,panic=shutdown", "panic=maybe"] {
        told(&run(NAME, Some(value)));
    }
}

#[track_caller]
fn is_aborted(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.signal(),
        Some(rustix::process::Signal::ABORT.as_raw()),
        "{text}"
    );
    assert!(text.contains("panic: the end\n\ngoroutine "), "{text}");
}

#[test]
fn shutdown_ends_tasks_and_every_root() {
    const NAME: &str = "shutdown_ends_tasks_and_every_root";
    if child::is_child(NAME) {
        let rt = Builder::new()
            .procs(2)
            .panic_policy(PanicPolicy::Shutdown)
            .build()
            .expect("a runtime");
        let bystander = rt.spawn(pending::<()>());
        // A root on another thread that never waits, and one that does.
        std::thread::scope(|scope| {
            let busy = scope.spawn(|| {
                catch_unwind(AssertUnwindSafe(|| {
                    rt.block_on(async {
                        loop {
                            gmp::task::yield_now().await;
                        }
                    })
                }))
            });
            let waiting = catch_unwind(AssertUnwindSafe(|| {
                rt.block_on(async {
                    gmp::spawn(async { panic!("the end") });
                    pending::<()>().await;
                });
            }));
            for ended in [waiting, busy.join().expect("caught")] {
                let reason = ended.expect_err("it never ends by itself");
                let reason = reason.downcast_ref::<String>().expect("a text");
                assert!(reason.contains("tests/panic_policy.rs"), "{reason}");
                assert!(reason.ends_with(": the end"), "{reason}");
            }
        });
        let joined = futures::executor::block_on(bystander);
        assert!(joined.expect_err("dropped").is_cancelled());
        let late = futures::executor::block_on(rt.spawn(async { 1 }));
        assert!(late.expect_err("too late").is_cancelled());
        let again = catch_unwind(AssertUnwindSafe(|| rt.block_on(async { 1 })));
        assert!(again.is_err());
        drop(rt);
        return;
    }
    let lines = told(&run(NAME, None));
    position(&lines, "panic: the end");
    let told = lines.iter().filter(|line| line.starts_with("panic: "));
    assert_eq!(told.count(), 1, "{lines:#?}");
}

#[test]
fn a_nested_root_is_ended_too() {
    const NAME: &str = "a_nested_root_is_ended_too";
    if child::is_child(NAME) {
        let ended = catch_unwind(|| {
            let rt = Builder::new()
                .procs(1)
                .panic_policy(PanicPolicy::Shutdown)
                .build()
                .expect("a runtime");
            let outer = rt.spawn(async {
                gmp::block_on(async {
                    gmp::spawn(async { panic!("the end") });
                    pending::<()>().await;
                });
            });
            rt.block_on(outer)
        });
        assert!(ended.is_err());
        return;
    }
    told(&run(NAME, None));
}
