//! Panics that are caught: what the report says, what is folded, what goes on.
//!
//! The reporter is the process's, so the tests of this file share one and look
//! for their own reports in it.

use std::backtrace::BacktraceStatus;
use std::panic::{catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use gmp_profiler::{catch_panic, labels, note_panics, set_panic_reporter, take_report};

static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn told() -> MutexGuard<'static, Vec<String>> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Collects reports from now on.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_panic_reporter(|report| told().push(report.to_string())));
}

fn told_with(text: &str) -> Vec<String> {
    let told = told();
    told.iter()
        .filter(|report| report.contains(text))
        .cloned()
        .collect()
}

#[gmp::test]
async fn a_panic_becomes_a_value_with_its_task_and_place() {
    listen();
    let other = gmp::spawn(std::future::pending::<()>());
    let task = gmp::spawn(async {
        let id = gmp::task::id();
        let line = line!() + 1;
        let caught = catch_panic(async { panic!("no user {}", 7) }).await;
        let report = caught.map(|(): ()| ()).expect_err("a panic");
        (id, line, report)
    });
    let (id, line, report) = task.await.expect("it went on");
    assert_eq!(report.message(), "no user 7");
    assert_eq!(report.task().map(|task| task.id), Some(id.get()));
    let (file, at, _) = report.location().expect("noted");
    assert!(file.ends_with("recover.rs"), "{file}");
    assert_eq!(at, line, "{report}");

    let text = report.to_string();
    assert!(
        text.starts_with("[PANIC RECOVER] no user 7\ngoroutine "),
        "{text}"
    );
    assert!(text.contains(" [running]:\n"), "{text}");
    assert!(text.contains("\ncreated by recover::"), "{text}");
    // The panicking task alone.
    assert!(
        !text.contains(&format!("goroutine {} ", other.id())),
        "{text}"
    );
    assert_eq!(told_with("no user 7").len(), 1);
    other.abort();
}

#[gmp::test]
async fn the_payload_is_kept_whatever_it_is() {
    listen();
    let caught = catch_panic(async { std::panic::panic_any(41_u32) }).await;
    let report = caught.map(|(): ()| ()).expect_err("a panic");
    assert_eq!(report.message(), "(no message)");
    assert!(report.location().is_some());
    let payload = report.into_payload().expect("caught here");
    assert_eq!(payload.downcast_ref::<u32>(), Some(&41));
}

#[gmp::test]
async fn a_future_that_does_not_panic_is_left_alone() {
    listen();
    let value = catch_panic(async {
        gmp::task::yield_now().await;
        gmp::time::sleep(Duration::from_millis(1)).await;
        7
    });
    assert_eq!(value.await.expect("no panic"), 7);
}

#[gmp::test]
async fn repeats_from_one_place_are_told_once() {
    listen();
    for _ in 0..1000 {
        let caught = catch_panic(async { panic!("once in a while") }).await;
        assert!(caught.map(|(): ()| ()).is_err());
    }
    assert_eq!(told_with("once in a while").len(), 1);
}

/// In a process of its own, whose environment asks for backtraces: to take one, a thread
/// waits for all others that do, so a storm of panics must not take thousands.
#[test]
fn only_a_panic_that_is_told_takes_a_backtrace() {
    const NAME: &str = "only_a_panic_that_is_told_takes_a_backtrace";
    if std::env::var_os("GMP_TEST_CHILD").is_none() {
        let mut child = Command::new(std::env::current_exe().expect("this test's file"));
        child.args([NAME, "--exact", "--nocapture"]);
        child.env("GMP_TEST_CHILD", "1").env("RUST_BACKTRACE", "1");
        child.env_remove("RUST_LIB_BACKTRACE");
        let output = child.output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let rt = gmp::runtime::Builder::new().build().expect("a runtime");
    let caught = |from: u32| {
        let panics = async move {
            match from {
                1 => panic!("one place"),
                _ => panic!("another"),
            }
        };
        let report = rt.block_on(catch_panic(panics)).map(|(): ()| ());
        let report = report.expect_err("a panic");
        assert!(report.location().is_some());
        report.backtrace().status() == BacktraceStatus::Captured
    };
    assert_eq!(
        [1, 1, 1, 2, 2].map(caught),
        [true, false, false, true, false]
    );
    // One that somebody takes is not told: the next one is.
    let taken = rt.block_on(catch_panic(async {
        let throw = || panic!("a third");
        let mut taken = Vec::new();
        for _ in 0..3 {
            assert!(catch_unwind(throw).is_err());
            let report = take_report().expect("of this task");
            taken.push(report.backtrace().status() == BacktraceStatus::Captured);
        }
        taken
    }));
    assert_eq!(taken.expect("no panic is left"), [true; 3]);
}

#[gmp::test]
async fn a_panic_that_the_future_catches_itself_is_told_too() {
    listen();
    let seven = catch_panic(async {
        let inner = catch_unwind(|| panic!("kept inside"));
        assert!(inner.is_err());
        7
    });
    assert_eq!(seven.await.expect("caught inside"), 7);
    assert_eq!(told_with("kept inside").len(), 1);
}

#[gmp::test]
async fn a_panic_that_is_thrown_on_has_no_place() {
    listen();
    let caught = catch_panic(async { resume_unwind(Box::new("thrown on")) }).await;
    let report = caught.map(|(): ()| ()).expect_err("a panic");
    assert_eq!(report.message(), "thrown on");
    assert_eq!(report.location(), None);
}

/// A value whose drop panics.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

#[gmp::test]
async fn a_panic_in_the_drop_of_the_future_is_contained() {
    listen();
    let bomb = Bomb("in the drop");
    let caught = catch_panic(std::future::poll_fn(move |_| {
        let _kept = &bomb;
        std::task::Poll::Ready(7)
    }));
    assert_eq!(caught.await.expect("the output"), 7);
    assert_eq!(told_with("in the drop").len(), 1);
}

/// Panics when it is dropped, on the way of another panic too, and catches that.
struct Careful;

impl Drop for Careful {
    fn drop(&mut self) {
        let caught = catch_unwind(|| panic!("on its way"));
        assert!(caught.is_err());
    }
}

#[gmp::test]
async fn a_report_is_of_the_panic_that_came_out() {
    listen();
    let line = line!() + 3;
    let caught = catch_panic(async {
        let _careful = Careful;
        panic!("the one that came out")
    });
    let report = caught.await.map(|(): ()| ()).expect_err("a panic");
    assert_eq!(report.message(), "the one that came out");
    assert_eq!(report.location().map(|at| at.1), Some(line));
    assert_eq!(told_with("the one that came out").len(), 1);
    assert_eq!(told_with("on its way").len(), 1);
}

#[gmp::test]
async fn a_report_has_the_labels_of_the_panic() {
    listen();
    let request = labels::scope([("route", "/pay")], async { panic!("under a label") });
    let caught = catch_panic(request).await;
    let report = caught.map(|(): ()| ()).expect_err("a panic");
    let text = report.to_string();
    assert!(text.contains(" {route: /pay}:\n"), "{text}");
    let own = report.task().map(labels::Labels::of).unwrap_or_default();
    assert_eq!(own.get("route"), Some("/pay"));
    assert!(labels::current().is_empty());
}

#[gmp::test]
async fn a_panic_that_is_thrown_on_hides_none_that_was_caught() {
    listen();
    let caught = catch_panic(async {
        let inner = catch_unwind(|| panic!("caught before"));
        assert!(inner.is_err());
        resume_unwind(Box::new("thrown after"))
    });
    let report = caught.await.map(|(): ()| ()).expect_err("a panic");
    assert_eq!(report.location(), None);
    assert_eq!(told_with("thrown after").len(), 1);
    assert_eq!(told_with("caught before").len(), 1);
}

/// Another task that panics on the same thread, inside a nested `block_on`, is
/// not this future's affair: its handle tells.
#[gmp::test]
async fn the_panic_of_another_task_is_not_mistaken_for_its_own() {
    listen();
    let caught = catch_panic(async {
        let inner = gmp::block_on(async {
            let local = gmp::task::spawn_local(async { panic!("somebody else's") });
            local.await
        });
        inner.map(|(): ()| ()).is_err()
    });
    assert!(caught.await.expect("no panic of its own"));
    assert!(told_with("somebody else's").is_empty());
}

/// Who catches a panic by other means asks for its report, once and of its own task.
#[gmp::test]
async fn whoever_has_caught_a_panic_may_take_its_report() {
    note_panics();
    assert!(take_report().is_none());
    assert!(catch_unwind(|| panic!("an early one")).is_err());
    assert!(catch_unwind(|| panic!("taken")).is_err());
    let line = line!() - 1;
    // On the same thread, in another task.
    gmp::block_on(async {
        assert!(take_report().is_none(), "somebody else's");
    });
    let report = take_report().expect("the last one");
    assert_eq!(report.message(), "taken");
    assert_eq!(report.location().map(|at| at.1), Some(line));
    let id = gmp::task::id().get();
    assert_eq!(report.task().map(|task| task.id), Some(id));
    assert!(report.into_payload().is_none(), "who caught it has it");
    assert!(take_report().is_none());
}

#[gmp::test]
async fn a_report_that_was_taken_is_not_told() {
    listen();
    let caught = catch_panic(async {
        assert!(catch_unwind(|| panic!("left to be told")).is_err());
        assert!(catch_unwind(|| panic!("taken within")).is_err());
        take_report()
    });
    let report = caught.await.expect("caught inside");
    assert_eq!(report.expect("noted").message(), "taken within");
    assert_eq!(told_with("left to be told").len(), 1);
    assert!(told_with("taken within").is_empty());
    assert!(take_report().is_none());
}

#[test]
fn outside_a_task_a_report_has_no_task() {
    listen();
    let report = futures::executor::block_on(catch_panic(async { panic!("nobody's") }));
    let report = report.map(|(): ()| ()).expect_err("a panic");
    assert!(report.task().is_none());
    let text = report.to_string();
    assert!(text.starts_with("[PANIC RECOVER] nobody's\n\t"), "{text}");
}

#[cfg(feature = "tower")]
mod tower {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use gmp_profiler::RecoverLayer;
    use tower_layer::Layer;
    use tower_service::Service;

    use super::{listen, told_with};

    /// Panics in the call, in the future, or not at all.
    struct Fragile;

    impl Service<&'static str> for Fragile {
        type Response = String;
        type Error = Infallible;
        type Future = Pin<Box<dyn Future<Output = Result<String, Infallible>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: &'static str) -> Self::Future {
            assert_ne!(request, "call", "in the call");
            Box::pin(async move {
                gmp::task::yield_now().await;
                assert_ne!(request, "future", "in the future");
                let answer: Ready<Result<String, Infallible>> = ready(Ok(request.to_owned()));
                answer.await
            })
        }
    }

    #[gmp::test]
    async fn a_request_that_panics_gets_a_response() {
        listen();
        let layer = RecoverLayer::new(|report| format!("500 {}", report.message().len()));
        let mut service = layer.layer(Fragile);
        assert_eq!(service.call("fine").await.expect("never"), "fine");
        for place in ["call", "future"] {
            let answer = service.call(place).await.expect("never");
            assert!(answer.starts_with("500 "), "{answer}");
            assert_eq!(told_with(&format!("in the {place}")).len(), 1);
        }
        assert_eq!(service.call("again").await.expect("never"), "again");
    }
}
