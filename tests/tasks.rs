//! Tasks: spawn, join, abort and detach in every order, and the wakers that
//! outlive, outrun or surround them.

#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "tasks/wakers.rs"]
mod wakers;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use gmp::runtime::{Builder, Runtime};
use gmp::task::{AbortHandle, JoinHandle};

use drops::{Drops, Token};
use eventually::eventually;
use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

#[test]
fn a_spawned_task_gives_its_output() {
    within(60, || {
        let rt = runtime(2);
        let handle = rt.spawn(async { String::from("out") });
        assert_eq!(rt.block_on(handle).expect("no panic"), "out");
    });
}

#[test]
fn a_spawned_task_runs_without_anybody_in_block_on() {
    within(60, || {
        let rt = runtime(1);
        let (tx, rx) = mpsc::channel();
        drop(rt.spawn(async move { tx.send(1).expect("the receiver waits") }));
        assert_eq!(rx.recv(), Ok(1));
    });
}

#[test]
fn a_dropped_handle_detaches_before_during_and_after_the_task() {
    within(60, || {
        let rt = runtime(2);
        // Before its first poll: the only P is busy or not, the task runs on.
        let (tx, rx) = mpsc::channel();
        drop(rt.spawn(async move { tx.send(()).expect("waited for") }));
        rx.recv().expect("a detached task runs");
        // While it waits.
        let (go, wait) = oneshot::channel::<()>();
        let (tx, rx) = mpsc::channel();
        let handle = rt.spawn(async move {
            wait.await.expect("sent");
            tx.send(()).expect("waited for");
        });
        eventually("the task waits", || rt.handle().num_tasks() == 1);
        drop(handle);
        go.send(()).expect("the task lives");
        rx.recv().expect("a detached task goes on");
        // After its end: the output is dropped with the handle.
        let drops = Drops::new();
        let token = drops.token();
        let handle = rt.spawn(ready(token));
        eventually("the task ends", || handle.is_finished());
        assert_eq!(drops.count(), 0);
        drop(handle);
        assert_eq!(drops.count(), 1);
    });
}

/// When a task is aborted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    BeforeItsFirstPoll,
    WhileItWaits,
    WhileItRuns,
    AfterItsEnd,
}

/// Who aborts it.
#[derive(Clone, Copy, Debug)]
enum Who {
    Handle,
    AbortHandle,
    PlainThread,
    OtherTask,
}

/// What becomes of the handle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Handle {
    Joined,
    DroppedFirst,
    DroppedLast,
}

/// A future with a token inside that gives another one.
async fn subject(
    _inside: Token,
    output: Token,
    polled: Arc<AtomicBool>,
    hold: Arc<AtomicBool>,
    wait: Option<oneshot::Receiver<()>>,
) -> Token {
    polled.store(true, Ordering::SeqCst);
    while hold.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    if let Some(wait) = wait {
        // The end of the sender is as good as a message.
        let _ = wait.await;
    }
    output
}

fn one_combination(when: When, who: Who, keep: Handle, procs: usize) {
    let case = format!("{when:?} by {who:?}, handle {keep:?}, {procs} Ps");
    let rt = runtime(procs);
    let (inside, output) = (Drops::new(), Drops::new());
    let polled = Arc::new(AtomicBool::new(false));
    let hold = Arc::new(AtomicBool::new(when == When::WhileItRuns));
    let (go, wait) = oneshot::channel();
    let wait = matches!(when, When::WhileItWaits | When::WhileItRuns).then_some(wait);
    // Every P is kept busy, so that the subject is not polled too soon.
    let gate = Arc::new(AtomicBool::new(when == When::BeforeItsFirstPoll));
    let hogs = Arc::new(AtomicUsize::new(0));
    if when == When::BeforeItsFirstPoll {
        for _ in 0..procs {
            let (gate, hogs) = (gate.clone(), hogs.clone());
            drop(rt.spawn(async move {
                hogs.fetch_add(1, Ordering::SeqCst);
                while gate.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            }));
        }
        eventually("every P is busy", || hogs.load(Ordering::SeqCst) == procs);
    }
    let future = subject(
        inside.token(),
        output.token(),
        polled.clone(),
        hold.clone(),
        wait,
    );
    let mut handle = Some(rt.spawn(future));
    match when {
        When::BeforeItsFirstPoll => {}
        When::WhileItWaits | When::WhileItRuns => {
            eventually(&case, || polled.load(Ordering::SeqCst));
        }
        When::AfterItsEnd => eventually(&case, || handle.as_ref().unwrap().is_finished()),
    }
    let abort = handle.as_ref().unwrap().abort_handle();
    if keep == Handle::DroppedFirst {
        handle = None;
    }
    by(who, &rt, handle.as_ref(), &abort, &gate);
    gate.store(false, Ordering::SeqCst);
    hold.store(false, Ordering::SeqCst);
    if keep == Handle::DroppedLast {
        handle = None;
    }
    eventually(&case, || abort.is_finished());
    drop(go);
    if let Some(handle) = handle {
        match rt.block_on(handle) {
            Ok(token) => {
                assert_eq!(when, When::AfterItsEnd, "{case}: cancelled");
                assert_eq!(output.count(), 0, "{case}");
                drop(token);
            }
            Err(error) => {
                assert!(error.is_cancelled() && !error.is_panic(), "{case}: {error}");
                assert_ne!(when, When::AfterItsEnd, "{case}: its value");
            }
        }
    }
    // Dropped once, at the latest with the runtime; hogs may go on longer.
    eventually(&case, || inside.count() == 1 && output.count() == 1);
    drop(rt);
    assert_eq!((inside.count(), output.count()), (1, 1), "{case}");
}

fn by(
    who: Who,
    rt: &Runtime,
    handle: Option<&JoinHandle<Token>>,
    abort: &AbortHandle,
    gate: &Arc<AtomicBool>,
) {
    match (who, handle) {
        (Who::Handle, Some(handle)) => handle.abort(),
        (Who::Handle | Who::AbortHandle, _) => abort.clone().abort(),
        (Who::PlainThread, _) => {
            let abort = abort.clone();
            thread::spawn(move || abort.abort()).join().unwrap();
        }
        (Who::OtherTask, _) => {
            let abort = abort.clone();
            let other = rt.spawn(async move { abort.abort() });
            gate.store(false, Ordering::SeqCst);
            rt.block_on(other).expect("no panic");
        }
    }
}

#[test]
fn a_task_is_dropped_once_in_every_combination_of_abort_and_handle() {
    within(60, || {
        for when in [When::WhileItWaits, When::WhileItRuns, When::AfterItsEnd] {
            for who in [
                Who::Handle,
                Who::AbortHandle,
                Who::PlainThread,
                Who::OtherTask,
            ] {
                for keep in [Handle::Joined, Handle::DroppedFirst, Handle::DroppedLast] {
                    // The other task needs a P beside that of a running subject.
                    for procs in [1, 2] {
                        one_combination(when, who, keep, procs);
                    }
                }
            }
        }
    });
}

#[test]
fn a_task_that_was_never_polled_is_dropped_once_when_aborted() {
    within(60, || {
        for who in [Who::Handle, Who::AbortHandle, Who::PlainThread] {
            for keep in [Handle::Joined, Handle::DroppedFirst, Handle::DroppedLast] {
                // No hand-off: the hogs must keep the subject from running.
                one_combination(When::BeforeItsFirstPoll, who, keep, 1);
            }
        }
    });
}

#[test]
fn an_abort_takes_effect_at_the_next_suspension_and_not_before() {
    within(60, || {
        let rt = runtime(1);
        let (tx, rx) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let handle = rt.spawn(async move {
            tx.send("began").expect("waited for");
            wait.recv().expect("told to go on");
            tx.send("went on").expect("waited for");
            gmp::task::yield_now().await;
            tx.send("never").expect("waited for");
        });
        assert_eq!(rx.recv(), Ok("began"));
        handle.abort();
        handle.abort();
        assert!(!handle.is_finished(), "the poll still runs");
        go.send(()).expect("the task waits");
        assert!(rt.block_on(handle).expect_err("aborted").is_cancelled());
        assert_eq!(rx.iter().collect::<Vec<_>>(), ["went on"]);
    });
}

#[test]
fn a_task_that_ends_in_the_poll_of_its_abort_keeps_its_output() {
    within(60, || {
        let rt = runtime(1);
        let (tx, rx) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let handle = rt.spawn(async move {
            tx.send(()).expect("waited for");
            wait.recv().expect("told to go on");
            7
        });
        rx.recv().expect("begun");
        handle.abort();
        go.send(()).expect("the task waits");
        assert_eq!(rt.block_on(handle).expect("it ended first"), 7);
    });
}

#[test]
fn a_task_may_abort_itself() {
    within(60, || {
        let rt = runtime(1);
        let (tx, rx) = oneshot::channel::<AbortHandle>();
        let handle = rt.spawn(async move {
            let me = rx.await.expect("sent");
            me.abort();
            pending::<()>().await;
        });
        tx.send(handle.abort_handle()).expect("the task waits");
        assert!(rt.block_on(handle).expect_err("aborted").is_cancelled());
    });
}

#[test]
fn an_abort_from_a_plain_thread_races_with_the_end_of_the_task() {
    within(60, || {
        let rt = runtime(2);
        let drops = Drops::new();
        let rounds = 2_000;
        let (mut ended, mut cancelled) = (0, 0);
        let (tx, rx) = mpsc::channel::<AbortHandle>();
        let aborter = thread::spawn(move || rx.iter().for_each(|abort| abort.abort()));
        for _ in 0..rounds {
            let token = drops.token();
            let handle = rt.spawn(async move {
                let _token = token;
                gmp::task::yield_now().await;
            });
            tx.send(handle.abort_handle()).expect("the aborter runs");
            match rt.block_on(handle) {
                Ok(()) => ended += 1,
                Err(error) if error.is_cancelled() => cancelled += 1,
                Err(error) => panic!("{error}"),
            }
        }
        drop(tx);
        aborter.join().unwrap();
        assert_eq!(ended + cancelled, rounds);
        assert_eq!(drops.count(), rounds);
    });
}

#[test]
fn the_future_is_dropped_before_its_output_can_be_seen() {
    within(60, || {
        let rt = runtime(2);
        rt.block_on(async {
            for round in 1..=20_000 {
                let drops = Drops::new();
                let token = drops.token();
                let handle = gmp::spawn(poll_fn(move |_| {
                    let _held = &token;
                    Poll::Ready(())
                }));
                handle.await.expect("no panic");
                assert_eq!(drops.count(), 1, "round {round}");
            }
        });
    });
}

#[test]
fn a_handle_may_be_awaited_by_reference_given_up_and_awaited_again() {
    within(60, || {
        let rt = runtime(1);
        rt.block_on(async {
            let (go, wait) = oneshot::channel();
            let mut handle = gmp::spawn(async move { wait.await.expect("sent") });
            for _ in 0..3 {
                let early = futures::poll!(&mut handle);
                assert!(early.is_pending());
            }
            go.send(5).expect("the task waits");
            assert_eq!((&mut handle).await.expect("no panic"), 5);
        });
    });
}

#[test]
fn only_the_latest_waker_of_a_handle_is_woken() {
    within(60, || {
        let rt = runtime(1);
        let (go, wait) = oneshot::channel::<()>();
        let mut handle = rt.spawn(async move { wait.await.is_ok() });
        let (old, old_wakes) = futures_test_waker();
        let (new, new_wakes) = futures_test_waker();
        for waker in [&old, &new] {
            let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        go.send(()).expect("the task waits");
        eventually("the waker is called", || {
            new_wakes.load(Ordering::SeqCst) == 1
        });
        assert_eq!(old_wakes.load(Ordering::SeqCst), 0);
        let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(&new));
        assert!(matches!(polled, Poll::Ready(Ok(true))));
    });
}

struct CountingWaker(Arc<AtomicUsize>);

impl std::task::Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn futures_test_waker() -> (Waker, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    (Arc::new(CountingWaker(count.clone())).into(), count)
}

#[test]
fn two_tasks_that_join_each_other_end_with_the_runtime() {
    within(60, || {
        let drops = Drops::new();
        let rt = runtime(2);
        let (to_a, a_gets) = oneshot::channel::<JoinHandle<()>>();
        let (to_b, b_gets) = oneshot::channel::<JoinHandle<()>>();
        let (token_a, token_b) = (drops.token(), drops.token());
        let a = rt.spawn(async move {
            let _token = token_a;
            let other = a_gets.await.expect("sent");
            let _ = other.await;
        });
        let b = rt.spawn(async move {
            let _token = token_b;
            let other = b_gets.await.expect("sent");
            let _ = other.await;
        });
        to_a.send(b).expect("a waits");
        to_b.send(a).expect("b waits");
        drop(rt);
        assert_eq!(drops.count(), 2);
    });
}

#[test]
fn a_task_that_awaits_itself_ends_with_the_runtime() {
    within(60, || {
        let drops = Drops::new();
        let rt = runtime(1);
        let token = drops.token();
        let (tx, rx) = oneshot::channel::<JoinHandle<()>>();
        let handle = rt.spawn(async move {
            let _token = token;
            let me = rx.await.expect("sent");
            let _ = me.await;
        });
        tx.send(handle).expect("the task waits");
        drop(rt);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn ten_thousand_tasks_spawn_each_other_in_a_chain() {
    within(60, || {
        fn link(left: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
            Box::pin(async move {
                if left == 0 {
                    return 0;
                }
                gmp::spawn(link(left - 1)).await.expect("no panic") + 1
            })
        }
        let rt = runtime(2);
        assert_eq!(rt.block_on(link(10_000)), 10_000);
    });
}

#[test]
fn spawns_from_many_plain_threads_all_run() {
    within(60, || {
        let rt = Arc::new(runtime(2));
        let sum = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (rt, sum) = (rt.clone(), sum.clone());
                thread::spawn(move || {
                    for _ in 0..2_000 {
                        let sum = sum.clone();
                        drop(rt.spawn(async move {
                            gmp::task::yield_now().await;
                            sum.fetch_add(1, Ordering::SeqCst);
                        }));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        eventually("all have run", || sum.load(Ordering::SeqCst) == 8_000);
        eventually("all are gone", || rt.handle().num_tasks() == 0);
    });
}

#[test]
fn a_task_without_handle_and_waker_is_dropped_with_the_runtime() {
    within(60, || {
        let drops = Drops::new();
        let rt = runtime(1);
        let token = drops.token();
        drop(rt.spawn(async move {
            let _token = token;
            pending::<()>().await;
        }));
        drop(rt);
        assert_eq!(drops.count(), 1);
    });
}
