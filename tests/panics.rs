//! A panic of the user's code stays where it happened: in a poll, in the drop of
//! a future or of an output, in a waker or a hook, in every place that runs one.
//! The handle learns of it, everybody else goes on.

#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::any::Any;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use gmp::runtime::{Builder, Runtime};
use gmp::task::{JoinError, JoinSet, unconstrained};
use gmp::time::{Instant, after_func, sleep};

use eventually::eventually;
use watchdog::within;

/// Contained panics are counted for the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Runs `body` on a runtime of one and of two Ps beside a task that must live,
/// and checks how many panics were contained.
#[track_caller]
fn contained(expected: u64, body: impl Fn(&Runtime) + Send + 'static) {
    let _alone = alone();
    within(60, move || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let (go, wait) = oneshot::channel();
            let bystander = rt.spawn(async move {
                wait.await.expect("sent");
                sleep(Duration::from_micros(100)).await;
                11
            });
            let before = rt.handle().metrics().contained_panics;
            body(&rt);
            let now = || rt.handle().metrics().contained_panics - before;
            eventually("the panics are counted", || now() >= expected);
            assert_eq!(now(), expected, "contained panics with {procs} Ps");
            go.send(()).expect("the bystander lives");
            assert_eq!(rt.block_on(bystander).expect("unharmed"), 11);
            let after = rt.spawn(async { 12 });
            assert_eq!(rt.block_on(after).expect("the runtime goes on"), 12);
            drop(rt);
        }
    });
}

/// A payload that is no text, to be found again unchanged.
#[derive(Debug, PartialEq)]
struct Payload(u32);

#[track_caller]
fn is_payload(error: JoinError, number: u32) {
    assert!(error.is_panic() && !error.is_cancelled());
    let payload = error.try_into_panic().expect("a panic");
    assert_eq!(payload.downcast_ref::<Payload>(), Some(&Payload(number)));
}

/// Panics when it is dropped, unless a panic is on its way already.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_any(Payload(self.0));
        }
    }
}

/// Waits for ever and panics when it is dropped.
fn bomb_inside(number: u32) -> impl Future<Output = u32> + Send {
    let bomb = Bomb(number);
    poll_fn(move |_| {
        let _held = &bomb;
        Poll::Pending
    })
}

/// Ends at once with `output` and panics when it is dropped.
fn ends_and_explodes(output: u32) -> impl Future<Output = u32> + Send {
    let bomb = Bomb(0);
    poll_fn(move |_| {
        let _held = &bomb;
        Poll::Ready(output)
    })
}

async fn panics(number: u32) -> u32 {
    gmp::task::yield_now().await;
    panic_any(Payload(number))
}

/// A waker that panics, at its call or at its drop.
struct BadWaker {
    at_drop: bool,
}

impl Wake for BadWaker {
    fn wake(self: Arc<Self>) {
        assert!(self.at_drop, "a waker that panics");
    }
}

impl Drop for BadWaker {
    fn drop(&mut self) {
        assert!(
            !self.at_drop || std::thread::panicking(),
            "a waker whose drop panics"
        );
    }
}

fn bad_waker(at_drop: bool) -> Waker {
    Arc::new(BadWaker { at_drop }).into()
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

// In a poll.

#[test]
fn a_poll_that_panics_in_a_worker() {
    contained(0, |rt| {
        let task = rt.spawn(panics(1));
        is_payload(rt.block_on(task).expect_err("a panic"), 1);
        // Without a handle, nobody is told and nobody is harmed.
        drop(rt.spawn(panics(2)));
    });
}

#[test]
fn a_poll_that_panics_in_block_on() {
    contained(0, |rt| {
        let caught = catch_unwind(AssertUnwindSafe(|| rt.block_on(panics(3))));
        let payload = caught.expect_err("it goes on in the caller");
        assert_eq!(payload.downcast_ref::<Payload>(), Some(&Payload(3)));
    });
}

#[test]
fn a_poll_that_panics_in_spawn_local() {
    contained(0, |rt| {
        rt.block_on(async {
            let task = gmp::task::spawn_local(panics(4));
            is_payload(task.await.expect_err("a panic"), 4);
            drop(gmp::task::spawn_local(panics(5)));
            gmp::task::yield_now().await;
        });
    });
}

#[test]
fn a_closure_that_panics_in_spawn_blocking() {
    contained(0, |rt| {
        let _entered = rt.enter();
        let task = gmp::task::spawn_blocking(|| panic_any(Payload(6)));
        is_payload(rt.block_on(task).expect_err("a panic"), 6);
    });
}

#[test]
fn a_closure_that_panics_in_block_in_place() {
    contained(0, |rt| {
        let task = rt.spawn(async {
            let caught = catch_unwind(|| {
                gmp::task::block_in_place(|| gmp::task::block_in_place(|| panic_any(Payload(7))))
            });
            assert!(caught.is_err());
            // The section is closed: a sleep and a yield are as ever.
            gmp::task::yield_now().await;
            sleep(Duration::from_micros(50)).await;
            gmp::task::block_in_place(|| panic_any(Payload(8)));
        });
        is_payload(rt.block_on(task).expect_err("a panic"), 8);
    });
}

#[test]
fn a_function_that_panics_in_after_func() {
    contained(0, |rt| {
        rt.block_on(async {
            drop(after_func(Duration::from_micros(10), || {
                panic_any(Payload(9))
            }));
            let (tx, rx) = oneshot::channel();
            drop(after_func(Duration::from_micros(20), move || {
                tx.send(1).unwrap()
            }));
            assert_eq!(rx.await, Ok(1));
        });
    });
}

#[test]
fn a_task_that_panics_in_a_join_set() {
    contained(0, |rt| {
        rt.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(panics(10));
            set.spawn(async { 1 });
            let mut ended = (0, 0);
            while let Some(joined) = set.join_next().await {
                match joined {
                    Ok(value) => ended.0 += value,
                    Err(error) => {
                        is_payload(error, 10);
                        ended.1 += 1;
                    }
                }
            }
            assert_eq!(ended, (1, 1));
        });
    });
}

#[test]
fn join_all_goes_on_with_the_panic_of_a_task() {
    contained(0, |rt| {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            rt.block_on(async {
                let set: JoinSet<u32> = [panics(11)].into_iter().collect();
                set.join_all().await
            })
        }));
        let payload = caught.expect_err("a panic");
        assert_eq!(payload.downcast_ref::<Payload>(), Some(&Payload(11)));
    });
}

// In the drop of a future.

#[test]
fn a_future_whose_drop_panics_after_its_end_keeps_its_output() {
    contained(3, |rt| {
        let task = rt.spawn(ends_and_explodes(20));
        assert_eq!(rt.block_on(task).expect("its output is good"), 20);
        rt.block_on(async {
            let local = gmp::task::spawn_local(ends_and_explodes(21));
            assert_eq!(local.await.expect("its output is good"), 21);
        });
        assert_eq!(rt.block_on(ends_and_explodes(22)), 22);
    });
}

#[test]
fn a_future_whose_drop_panics_on_abort_gives_the_panic() {
    contained(0, |rt| {
        let task = rt.spawn(bomb_inside(23));
        task.abort();
        is_payload(rt.block_on(task).expect_err("a panic"), 23);
        rt.block_on(async {
            let local = gmp::task::spawn_local(bomb_inside(24));
            gmp::task::yield_now().await;
            local.abort();
            is_payload(local.await.expect_err("a panic"), 24);
        });
        let task = rt.spawn(bomb_inside(25));
        let abort = task.abort_handle();
        std::thread::spawn(move || abort.abort()).join().unwrap();
        is_payload(rt.block_on(task).expect_err("a panic"), 25);
    });
}

#[test]
fn futures_whose_drop_panics_at_the_end_of_block_on() {
    contained(0, |rt| {
        rt.block_on(async {
            for number in 0..3 {
                drop(gmp::task::spawn_local(bomb_inside(number)));
            }
            gmp::task::yield_now().await;
        });
    });
}

#[test]
fn futures_whose_drop_panics_in_the_drop_of_a_join_set() {
    contained(0, |rt| {
        rt.block_on(async {
            let mut set = JoinSet::new();
            for number in 0..3 {
                set.spawn(bomb_inside(number));
            }
            gmp::task::yield_now().await;
            drop(set);
        });
        eventually("all are gone", || rt.handle().num_tasks() == 1);
    });
}

#[test]
fn futures_whose_drop_panics_at_shutdown() {
    let _alone = alone();
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let waiting = rt.spawn(bomb_inside(26));
            let others: Vec<_> = (0..20).map(|n| rt.spawn(bomb_inside(n))).collect();
            eventually("they wait", || rt.handle().num_tasks() == 21);
            drop(rt);
            let joined = futures::executor::block_on(waiting);
            is_payload(joined.expect_err("a panic"), 26);
            assert!(others.iter().all(|task| task.is_finished()));
        }
    });
}

#[test]
fn a_future_whose_drop_panics_and_that_comes_too_late() {
    let _alone = alone();
    within(60, || {
        let rt = runtime(1);
        let handle = rt.handle().clone();
        drop(rt);
        let late = handle.spawn(bomb_inside(27));
        let joined = futures::executor::block_on(late);
        is_payload(joined.expect_err("a panic"), 27);
        assert_eq!(handle.num_tasks(), 0);
    });
}

// In the drop of an output.

#[test]
fn an_output_whose_drop_panics_without_anybody_to_take_it() {
    contained(4, |rt| {
        // Dropped by the M that completes the task.
        let (go, wait) = oneshot::channel::<()>();
        drop(rt.spawn(async move {
            let _ = wait.await;
            Bomb(30)
        }));
        go.send(()).expect("the task waits");
        // Dropped with the handle.
        let task = rt.spawn(async { Bomb(31) });
        eventually("it ends", || task.is_finished());
        drop(task);
        // Dropped with a set.
        rt.block_on(async {
            let mut set = JoinSet::new();
            let ended = set.spawn(async { Bomb(32) });
            while !ended.is_finished() {
                gmp::task::yield_now().await;
            }
            drop(set);
            // And a local one.
            let local = gmp::task::spawn_local(async { Bomb(33) });
            while !local.is_finished() {
                gmp::task::yield_now().await;
            }
            drop(local);
        });
    });
}

#[test]
fn a_payload_whose_drop_panics_without_anybody_to_take_it() {
    contained(2, |rt| {
        drop(rt.spawn(async { panic_any(Bomb(34)) }));
        let task = rt.spawn(async { panic_any(Bomb(35)) });
        eventually("it ends", || task.is_finished());
        drop(task);
    });
}

#[test]
fn a_drop_that_panics_with_a_payload_whose_drop_panics() {
    struct Chain;
    impl Drop for Chain {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic_any(Bomb(36));
            }
        }
    }
    let _alone = alone();
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn({
            let chain = Chain;
            poll_fn(move |_| {
                let _held = &chain;
                Poll::Ready(37)
            })
        });
        assert_eq!(rt.block_on(task).expect("its output is good"), 37);
        drop(rt.spawn(async { Chain }));
        eventually("it is gone", || rt.handle().num_tasks() == 0);
        assert_eq!(rt.block_on(rt.spawn(async { 38 })).expect("alive"), 38);
    });
}

// In a waker.

#[test]
fn a_waker_that_panics_when_a_task_ends() {
    contained(2, |rt| {
        for at_drop in [false, true] {
            let (go, wait) = oneshot::channel::<()>();
            let mut task = rt.spawn(async move { wait.await.is_ok() });
            assert!(poll_with(&mut task, &bad_waker(at_drop)).is_pending());
            go.send(()).expect("the task waits");
            eventually("it ends", || task.is_finished());
            eventually("the end is complete", || rt.handle().num_tasks() == 1);
            assert!(rt.block_on(task).expect("its output is good"));
        }
    });
}

#[test]
fn a_waker_that_panics_when_a_timer_fires() {
    contained(2, |rt| {
        rt.block_on(async {
            for at_drop in [false, true] {
                let panics = || rt.handle().metrics().contained_panics;
                let before = panics();
                let mut nap = sleep(Duration::from_secs(3600));
                // A request to give way would wake the waker in the poll.
                let mut first = pin!(unconstrained(&mut nap));
                assert!(poll_with(&mut first, &bad_waker(at_drop)).is_pending());
                Pin::new(&mut nap).reset(Instant::now());
                while panics() == before {
                    sleep(Duration::from_millis(1)).await;
                }
                nap.await;
            }
        });
    });
}

#[test]
fn a_waker_that_panics_when_a_task_is_aborted_or_shut_down() {
    let _alone = alone();
    within(60, || {
        let rt = runtime(1);
        let mut aborted = rt.spawn(pending::<()>());
        assert!(poll_with(&mut aborted, &bad_waker(false)).is_pending());
        aborted.abort();
        eventually("it ends", || aborted.is_finished());
        let mut cancelled = rt.spawn(pending::<()>());
        assert!(poll_with(&mut cancelled, &bad_waker(false)).is_pending());
        drop(rt);
        for task in [aborted, cancelled] {
            let joined = futures::executor::block_on(task);
            assert!(joined.expect_err("cancelled").is_cancelled());
        }
    });
}

#[test]
fn a_waker_that_panics_in_a_poll_is_that_polls_panic() {
    contained(0, |rt| {
        let task = rt.spawn(async {
            bad_waker(false).wake();
        });
        assert!(rt.block_on(task).expect_err("a panic").is_panic());
    });
}

// In hooks.

#[test]
fn the_panic_handler_sees_every_panic_of_a_task() {
    let _alone = alone();
    within(60, || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let rt = Builder::new()
            .procs(1)
            .panic_handler({
                let seen = seen.clone();
                move |panic| {
                    let number = panic.payload().downcast_ref::<Payload>().map(|p| p.0);
                    let text = panic.message().map(str::to_owned);
                    let line = panic.spawned_at().line();
                    seen.lock().unwrap().push((panic.id(), number, text, line));
                }
            })
            .build()
            .expect("a runtime");
        let (first, line) = (rt.spawn(panics(40)), line!());
        let first_id = first.id().get();
        is_payload(rt.block_on(first).expect_err("a panic"), 40);
        let second = rt.spawn(async { panic!("with {} words", 3) });
        let second_id = second.id().get();
        let error = rt.block_on(second).expect_err("a panic");
        assert!(error.to_string().contains("with 3 words"), "{error}");
        let third = rt.spawn(bomb_inside(41));
        third.abort();
        assert!(rt.block_on(third).is_err());
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 3);
        assert_eq!(seen[0], (first_id, Some(40), None, line));
        assert_eq!(seen[1].0, second_id);
        assert_eq!(seen[1].2.as_deref(), Some("with 3 words"));
        assert_eq!(seen[2].1, Some(41));
    });
}

#[test]
fn hooks_that_panic_are_contained() {
    let _alone = alone();
    within(60, || {
        for hook in 0..7 {
            let calls = Arc::new(AtomicUsize::new(0));
            let explode = || {
                let calls = calls.clone();
                move || {
                    calls.fetch_add(1, Ordering::SeqCst);
                    panic!("hook {hook} panics");
                }
            };
            let (bare, one) = (explode(), explode());
            let builder = Builder::new().procs(1);
            let builder = match hook {
                0 => builder.on_thread_start(bare),
                1 => builder.on_thread_stop(bare),
                2 => builder.on_task_spawn(move |_| one()),
                3 => builder.on_task_terminate(move |_| one()),
                4 => builder.on_task_poll_start(move |_| one()),
                5 => builder.on_task_poll_stop(move |_| one()),
                _ => builder.panic_handler(move |_| one()),
            };
            let rt = builder.build().expect("a runtime");
            let task = rt.spawn(async {
                gmp::task::yield_now().await;
                1
            });
            assert_eq!(rt.block_on(task).expect("unharmed"), 1, "hook {hook}");
            let error = rt.block_on(rt.spawn(panics(42))).expect_err("a panic");
            is_payload(error, 42);
            drop(rt);
            assert!(calls.load(Ordering::SeqCst) > 0, "hook {hook} was called");
        }
    });
}

// What an error tells.

#[test]
fn a_join_error_says_what_happened() {
    let _alone = alone();
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(async { panic!("some words") });
        let id = task.id();
        let error = rt.block_on(task).expect_err("a panic");
        assert_eq!(error.id(), id);
        assert!(error.to_string().contains("some words"));
        let payload: Box<dyn Any + Send> = error.into_panic();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"some words"));

        let task = rt.spawn(pending::<()>());
        task.abort();
        let error = rt.block_on(task).expect_err("cancelled");
        assert!(error.to_string().contains("cancelled"));
        let error = error.try_into_panic().expect_err("no panic");
        let caught = catch_unwind(AssertUnwindSafe(|| error.into_panic()));
        let text = caught.expect_err("there is none to give");
        let text = text.downcast_ref::<String>().expect("a text");
        assert!(text.contains("try_into_panic"), "it names the cure: {text}");
        let io: std::io::Error = {
            let task = rt.spawn(panics(50));
            rt.block_on(task).expect_err("a panic").into()
        };
        assert!(io.to_string().contains("panicked"));
    });
}

#[test]
fn ten_thousand_panics_cost_no_thread() {
    let _alone = alone();
    // Without a line for each of them.
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    within(60, || {
        let rt = runtime(2);
        let (tx, rx) = mpsc::channel();
        let spawner = rt.spawn(async move {
            for number in 0..10_000 {
                let error = gmp::spawn(async move { panic_any(Payload(number)) }).await;
                is_payload(error.expect_err("a panic"), number);
            }
            tx.send(()).expect("waited for");
        });
        rx.recv().expect("done");
        rt.block_on(spawner).expect("unharmed");
        assert!(rt.handle().metrics().threads < 20);
    });
    std::panic::set_hook(loud);
}
