//! `#[gmp::test(leak_check = true)]`: a test fails by what it leaves behind.
//!
//! The tests of this file run side by side: each has a runtime of its own, so
//! only those that leak may fail.

use std::process::Command;
use std::time::Duration;

use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use gmp::profiler::leak::{self, Options};

#[gmp::test(leak_check = true)]
async fn a_test_that_leaves_nothing_passes() {
    let task = gmp::spawn(async { 7 });
    assert_eq!(task.await.expect("no panic"), 7);
}

#[gmp::test(leak_check = true, procs = 2)]
async fn tasks_that_end_soon_after_the_test_are_waited_for() {
    for _ in 0..20 {
        drop(gmp::spawn(gmp::time::sleep(Duration::from_millis(30))));
    }
}

/// The drop of the sender ends the receiver: the leak that Go would have here
/// does not exist.
#[gmp::test(leak_check = true)]
async fn a_receiver_ends_when_its_sender_is_dropped() {
    let (tx, rx) = oneshot::channel::<()>();
    drop(gmp::spawn(rx));
    drop(tx);
}

#[gmp::test(leak_check = true)]
#[should_panic(expected = "found unexpected goroutines:\n[Goroutine ")]
async fn a_test_that_leaves_a_task_that_waits_for_ever_fails() {
    drop(gmp::spawn(std::future::pending::<()>()));
}

#[gmp::test(leak_check = true, procs = 2)]
#[should_panic(expected = "in state IO wait")]
async fn a_test_that_leaves_a_listener_running_fails() {
    let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    drop(gmp::spawn(async move {
        while listener.accept().await.is_ok() {}
    }));
}

#[gmp::test(leak_check = true)]
#[should_panic(expected = "# proven: no waker and no handle of it exists")]
async fn a_report_says_what_is_proven() {
    drop(gmp::spawn(std::future::pending::<()>()));
    // A proof may need a wait that is a tick old: timers move the tick.
    gmp::time::sleep(Duration::from_millis(2)).await;
}

/// Goleak's first example: the sender waits for a receiver that has its answer.
#[gmp::test(leak_check = true)]
#[should_panic(expected = "created by leak_check::")]
async fn a_sender_whose_receiver_is_only_forgotten_is_left() {
    let (mut tx, rx) = mpsc::channel::<u8>(0);
    drop(gmp::spawn(async move {
        // The second one finds the channel full.
        let _kept = (tx.send(1).await, tx.send(2).await);
    }));
    let _forgotten = std::mem::ManuallyDrop::new(rx);
}

#[gmp::test]
async fn without_the_key_nothing_is_checked() {
    drop(gmp::spawn(std::future::pending::<()>()));
}

/// The options of every test of a project, say.
fn but_servers() -> Options {
    Options::new().ignore_name("server")
}

#[gmp::test(leak_check = but_servers())]
async fn options_pass_over_what_they_name() {
    let server = gmp::task::Builder::new().name("server");
    drop(server.spawn(std::future::pending::<()>()));
}

#[gmp::test(leak_check = Options::new().ignore_name("server").retry_for(Duration::ZERO), procs = 2)]
#[should_panic(expected = "found unexpected goroutines:\n[Goroutine ")]
async fn options_pass_over_nothing_else() {
    let server = gmp::task::Builder::new().name("client");
    drop(server.spawn(std::future::pending::<()>()));
}

#[gmp::test(leak_check = cfg!(any()))]
async fn a_flag_may_be_an_expression() {
    drop(gmp::spawn(std::future::pending::<()>()));
}

#[gmp::test(leak_check = true)]
async fn a_check_of_a_part_of_a_test_names_its_tasks_alone() {
    let server = gmp::spawn(std::future::pending::<()>());
    let check = leak::guard(Options::new());
    gmp::spawn(async {}).await.expect("no panic");
    check.verify();
    server.abort();
}

#[gmp::test]
async fn a_named_wait_shows_in_a_dump() {
    let task = gmp::spawn(gmp::profiler::waiting(
        "redis",
        std::future::pending::<()>(),
    ));
    let head = format!("goroutine {} [waiting: redis]:\n", task.id());
    while !gmp::profiler::stack_all().contains(&head) {
        gmp::task::yield_now().await;
    }
    task.abort();
}

#[gmp::test(leak_check = true)]
async fn an_error_is_told_beside_the_leak() -> Result<(), &'static str> {
    const CHILD: &str = "GMP_TEST_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let output = Command::new(std::env::current_exe().expect("this test's file"))
            .args(["an_error_is_told_beside_the_leak", "--exact", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .expect("the child runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{text}");
        assert!(text.contains("the test's own error"), "{text}");
        assert!(text.contains("found unexpected goroutines"), "{text}");
        return Ok(());
    }
    drop(gmp::spawn(std::future::pending::<()>()));
    Err("the test's own error")
}
