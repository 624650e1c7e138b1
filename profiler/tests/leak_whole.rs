//! Checks of a whole test binary: how a process ends whose tasks are left over.

use std::process::{Command, ExitCode, Output, Termination};
use std::time::Duration;

use gmp::runtime::Builder;
use gmp_profiler::leak::{self, Options};

/// Runs a test of this file again, as a process of its own.
fn child(test: &str) -> Option<Output> {
    if std::env::var_os("GMP_TEST_CHILD").is_some() {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().expect("this test's file"));
    command.args([test, "--exact", "--nocapture"]);
    Some(
        command
            .env("GMP_TEST_CHILD", "1")
            .output()
            .expect("it runs"),
    )
}

fn at_once() -> Options {
    Options::new().retry_for(Duration::ZERO)
}

/// A runtime that is kept for ever, with a task that waits for ever.
fn leave_a_task() {
    let rt = Box::leak(Box::new(
        Builder::new().procs(1).build().expect("a runtime"),
    ));
    drop(rt.spawn(std::future::pending::<()>()));
}

/// Source: goleak's VerifyTestMain. One process: the check is of all runtimes.
#[test]
fn a_run_that_leaves_a_task_fails() {
    let name = "a_run_that_leaves_a_task_fails";
    let Some(output) = child(name) else {
        let clean = leak::verify_main(&at_once(), || 0);
        assert_eq!(clean.report(), ExitCode::SUCCESS);
        let failed = leak::verify_main(&at_once(), || 3);
        assert_eq!(failed.report(), ExitCode::from(3));
        leave_a_task();
        let code = leak::verify_main(&at_once(), || 0);
        assert_eq!(code.report(), ExitCode::from(1));
        // A run that failed keeps its status, and is looked at if that is wanted.
        let failed = leak::verify_main(&at_once(), || 4);
        assert_eq!(failed.report(), ExitCode::from(4));
        eprintln!("-- and with the option");
        let (tx, rx) = std::sync::mpsc::channel();
        let options = at_once()
            .run_on_failure()
            .cleanup(move || tx.send(()).expect("awaited"));
        let failed = leak::verify_main(&options, || 256);
        assert_eq!(failed.report(), ExitCode::from(1));
        rx.try_recv().expect("cleaned up");
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let found = "test run: found unexpected goroutines:\n[Goroutine ";
    let (plain, with) = text.split_once("-- and with the option").expect("both");
    assert_eq!(plain.matches(found).count(), 1, "{text}");
    assert!(
        plain.contains("goleak: Errors on successful test run: "),
        "{text}"
    );
    assert_eq!(with.matches(found).count(), 1, "{text}");
    assert!(
        with.contains("goleak: Errors on unsuccessful test run: "),
        "{text}"
    );
}

#[test]
fn what_is_left_at_exit_fails_the_process() {
    let name = "what_is_left_at_exit_fails_the_process";
    let Some(output) = child(name) else {
        leak::verify_at_exit(Options::new().ignore_name("none")).expect("registered");
        leak::verify_at_exit(at_once()).expect("changed");
        leave_a_task();
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(
        text.matches("found unexpected goroutines:").count(),
        1,
        "{text}"
    );
    // libtest's own verdict is complete.
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed; 0 failed"), "{said}");
}

#[test]
fn nothing_left_at_exit_changes_nothing() {
    let name = "nothing_left_at_exit_changes_nothing";
    let Some(output) = child(name) else {
        leak::verify_at_exit(Options::new()).expect("registered");
        gmp::block_on(async { gmp::spawn(async {}).await }).expect("no panic");
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("goroutine"), "{text}");
}
