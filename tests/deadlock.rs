//! Provable deadlocks, reported in Go's words (R-DEAD-1, T-87).

use std::process::{Command, Output};
use std::time::Duration;

use gmp::runtime::Builder;

/// Runs the named test of this file in a process of its own, with the report
/// that ends it switched on.
fn child(test: &str) -> Output {
    Command::new(std::env::current_exe().expect("this test's file"))
        .args([test, "--exact", "--nocapture"])
        .env("GMP_DEBUG", "deadlock=fatal")
        .env("GMP_TEST_CHILD", "1")
        .output()
        .expect("the child runs")
}

fn is_child() -> bool {
    std::env::var_os("GMP_TEST_CHILD").is_some()
}

/// Rule R-DEAD-1, T-87. Source: Go's TestSimpleDeadlock.
#[test]
fn t87_a_root_that_nobody_can_wake_is_a_deadlock() {
    if is_child() {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        rt.block_on(async { gmp::spawn(std::future::pending::<()>()).await })
            .expect("never ends");
        return;
    }
    let output = child("t87_a_root_that_nobody_can_wake_is_a_deadlock");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("fatal error: all goroutines are asleep - deadlock!"),
        "{text}"
    );
    assert!(text.contains("goroutine 1 [join]:"), "{text}");
}

/// Rule R-DEAD-1, T-87: a timer and a foreign thread can still wake somebody.
#[test]
fn t87_a_timer_or_a_thread_is_no_deadlock() {
    if is_child() {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        rt.block_on(gmp::time::sleep(Duration::from_millis(300)));
        let (tx, rx) = futures::channel::oneshot::channel();
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            tx.send(7)
        });
        assert_eq!(rt.block_on(rx), Ok(7));
        sender.join().expect("no panic").expect("sent");
        return;
    }
    let output = child("t87_a_timer_or_a_thread_is_no_deadlock");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("deadlock!"), "{text}");
}

/// Rule R-DEAD-1: the root joined a task that nobody can wake, gave that up, and
/// waits for a foreign thread. What its last leaf told no longer holds.
#[test]
fn a_join_that_was_given_up_is_no_deadlock() {
    if is_child() {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let (tx, rx) = futures::channel::oneshot::channel();
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            tx.send(7)
        });
        let got = rt.block_on(async {
            let mut stuck = gmp::spawn(std::future::pending::<()>());
            let abort = stuck.abort_handle();
            gmp::time::sleep(Duration::from_millis(20)).await; // it parks meanwhile
            assert!(futures::poll!(&mut stuck).is_pending());
            drop(stuck);
            let got = rx.await;
            abort.abort();
            got
        });
        assert_eq!(got, Ok(7));
        sender.join().expect("no panic").expect("sent");
        return;
    }
    let output = child("a_join_that_was_given_up_is_no_deadlock");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("deadlock!"), "{text}");
}
