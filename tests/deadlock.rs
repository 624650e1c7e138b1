//! Provable deadlocks, reported in Go's words (R-DEAD-1, T-87).

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use gmp::runtime::{Builder, Runtime};
use gmp::sync::{Barrier, Mutex};

/// Runs the named test of this file in a process of its own, with the report
/// that ends it switched on.
fn child(test: &str) -> Output {
    child_with(test, "deadlock=fatal")
}

fn child_with(test: &str, debug: &str) -> Output {
    Command::new(std::env::current_exe().expect("this test's file"))
        .args([test, "--exact", "--nocapture"])
        .env("GMP_DEBUG", debug)
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

/// So long a story says nothing: the look for a deadlock comes sooner.
const QUIET: Duration = Duration::from_millis(600);

fn runtime() -> Runtime {
    Builder::new().procs(2).build().expect("a runtime")
}

type Lock = Arc<Mutex<()>>;

fn two_locks() -> (Lock, Lock) {
    (Lock::default(), Lock::default())
}

/// Takes the first, and the second when `both` have got so far.
async fn takes(first: Lock, second: Lock, both: Arc<Barrier>) {
    let _first = first.lock().await;
    both.wait().await;
    let _second = second.lock().await;
}

/// Two tasks in a circle, which nobody can abort.
async fn circle(x: &Lock, y: &Lock) {
    let both = Arc::new(Barrier::new(3));
    drop(gmp::spawn(takes(x.clone(), y.clone(), both.clone())));
    drop(gmp::spawn(takes(y.clone(), x.clone(), both.clone())));
    both.wait().await;
}

#[track_caller]
fn is_no_deadlock(test: &str) {
    let output = child(test);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("deadlock!"), "{text}");
}

/// Rule R-DEAD-1.
#[test]
fn a_root_behind_a_circle_of_locks_is_a_deadlock() {
    if is_child() {
        runtime().block_on(async {
            let (x, y) = two_locks();
            circle(&x, &y).await;
            drop(x.lock().await);
        });
        return;
    }
    let output = child("a_root_behind_a_circle_of_locks_is_a_deadlock");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let told = text.matches("fatal error: all goroutines are asleep - deadlock!\n");
    assert_eq!(told.count(), 1, "{text}");
    assert_eq!(text.matches(" [sync.Mutex.Lock]:\n").count(), 3, "{text}");
    assert!(
        text.contains("\n# cycle: 2 goroutines wait for each other\n"),
        "{text}"
    );
}

#[test]
fn a_root_that_joins_into_a_circle_of_locks_is_a_deadlock() {
    if is_child() {
        let joins = runtime().block_on(async {
            let (x, y) = two_locks();
            let both = Arc::new(Barrier::new(2));
            drop(gmp::spawn(takes(x.clone(), y.clone(), both.clone())));
            gmp::spawn(takes(y, x, both)).await
        });
        joins.expect("never ends");
        return;
    }
    let output = child("a_root_that_joins_into_a_circle_of_locks_is_a_deadlock");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("goroutine 1 [join]:"), "{text}");
}

/// The report comes once, however much goes on beside.
#[test]
fn a_warning_comes_once() {
    if is_child() {
        let rt = runtime();
        let busy = rt.handle().clone();
        std::thread::spawn(move || {
            for _ in 0..10 {
                busy.block_on(gmp::time::sleep(Duration::from_millis(200)));
            }
            std::process::exit(0);
        });
        rt.block_on(async {
            let (x, y) = two_locks();
            circle(&x, &y).await;
            drop(x.lock().await);
        });
        return;
    }
    let output = child_with("a_warning_comes_once", "deadlock=warn");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("deadlock!").count(), 1, "{text}");
}

/// A guard goes with the future that keeps it.
#[test]
fn a_guard_whose_future_was_left_to_another_task_is_no_deadlock() {
    if is_child() {
        runtime().block_on(async {
            let lock = Lock::default();
            let (go, wait) = futures::channel::oneshot::channel();
            let mut keeps = Box::pin({
                let lock = lock.clone();
                async move {
                    let _guard = lock.lock().await;
                    wait.await.expect("sent");
                }
            });
            let first = gmp::spawn(async move {
                assert!(futures::poll!(keeps.as_mut()).is_pending());
                drop(gmp::spawn(keeps));
                gmp::spawn(async move { drop(lock.lock().await) }).await
            });
            std::thread::spawn(move || {
                std::thread::sleep(QUIET);
                go.send(())
            });
            first.await.expect("no panic").expect("no panic");
        });
        return;
    }
    is_no_deadlock("a_guard_whose_future_was_left_to_another_task_is_no_deadlock");
}

#[test]
fn a_time_limit_on_a_lock_is_no_deadlock() {
    if is_child() {
        runtime().block_on(async {
            let (x, y) = two_locks();
            circle(&x, &y).await;
            let late = gmp::time::timeout(QUIET, x.lock()).await;
            assert!(late.is_err());
        });
        return;
    }
    is_no_deadlock("a_time_limit_on_a_lock_is_no_deadlock");
}

#[test]
fn a_time_limit_inside_a_circle_is_no_deadlock() {
    if is_child() {
        runtime().block_on(async {
            let (x, y) = two_locks();
            let both = Arc::new(Barrier::new(2));
            drop(gmp::spawn(takes(x.clone(), y.clone(), both.clone())));
            let gives_up = async move {
                let _first = y.lock().await;
                both.wait().await;
                drop(gmp::time::timeout(QUIET, x.lock()).await);
            };
            gmp::spawn(gives_up).await.expect("no panic");
        });
        return;
    }
    is_no_deadlock("a_time_limit_inside_a_circle_is_no_deadlock");
}

#[test]
fn a_lock_beside_something_else_is_no_deadlock() {
    if is_child() {
        let (tx, rx) = futures::channel::oneshot::channel();
        let sender = std::thread::spawn(move || {
            std::thread::sleep(QUIET);
            tx.send(7)
        });
        runtime().block_on(async {
            let (x, y) = two_locks();
            circle(&x, &y).await;
            let either = futures::future::select(rx, Box::pin(x.lock())).await;
            assert!(matches!(either, futures::future::Either::Left((Ok(7), _))));
        });
        sender.join().expect("no panic").expect("sent");
        return;
    }
    is_no_deadlock("a_lock_beside_something_else_is_no_deadlock");
}

/// Rule R-DEAD-1. A thread has a handle of one task of the circle: to abort it, and to await it.
#[test]
fn a_handle_in_a_threads_hands_is_no_deadlock() {
    if is_child() {
        for abort in [false, true] {
            runtime().block_on(async {
                let (x, y) = two_locks();
                let both = Arc::new(Barrier::new(3));
                drop(gmp::spawn(takes(x.clone(), y.clone(), both.clone())));
                let task = gmp::spawn(takes(y.clone(), x.clone(), both.clone()));
                let aborts = task.abort_handle();
                both.wait().await;
                std::thread::spawn(move || {
                    std::thread::sleep(QUIET);
                    match abort {
                        true => aborts.abort(),
                        false => task.abort(),
                    }
                });
                drop(y.lock().await);
            });
        }
        return;
    }
    is_no_deadlock("a_handle_in_a_threads_hands_is_no_deadlock");
}

/// Rule R-DEAD-1. Who took the lock waits for it again, and somebody else has the guard.
#[test]
fn a_guard_that_was_given_away_is_no_deadlock() {
    if is_child() {
        runtime().block_on(async {
            let lock = Lock::default();
            let guard = lock.clone().lock_owned().await;
            std::thread::spawn(move || {
                std::thread::sleep(QUIET);
                drop(guard);
            });
            drop(lock.lock().await);
            let guard = lock.clone().lock_owned().await;
            let (tx, rx) = futures::channel::oneshot::channel::<()>();
            drop(gmp::spawn(async move {
                rx.await.unwrap_or_default();
                drop(guard);
            }));
            std::thread::spawn(move || {
                std::thread::sleep(QUIET);
                drop(tx);
            });
            drop(lock.lock().await);
        });
        return;
    }
    is_no_deadlock("a_guard_that_was_given_away_is_no_deadlock");
}
