//! Tasks: spawn, join, abort and detach in every order, and the wakers that
//! outlive, outrun or surround them.

#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
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

/// A future that gives its waker away and then waits for ever.
fn give_waker(tx: mpsc::Sender<Waker>) -> impl Future<Output = ()> + Send {
    let mut tx = Some(tx);
    poll_fn(move |cx| {
        if let Some(tx) = tx.take() {
            tx.send(cx.waker().clone()).expect("waited for");
        }
        Poll::Pending
    })
}

#[test]
fn a_waker_may_outlive_its_task_and_its_runtime() {
    within(60, || {
        let rt = runtime(1);
        let (tx, rx) = mpsc::channel();
        let handle = rt.spawn(give_waker(tx));
        let waker = rx.recv().expect("given");
        handle.abort();
        assert!(rt.block_on(handle).is_err());
        waker.wake_by_ref();
        drop(rt);
        waker.wake_by_ref();
        let copy = waker.clone();
        copy.wake();
        thread::spawn(move || waker.wake()).join().unwrap();
    });
}

thread_local! {
    static AT_EXIT: RefCell<Option<WakeAtExit>> = const { RefCell::new(None) };
    static SPAWN_AT_EXIT: RefCell<Option<SpawnAtExit>> = const { RefCell::new(None) };
}

struct WakeAtExit(Waker, Waker);

impl Drop for WakeAtExit {
    fn drop(&mut self) {
        self.0.wake_by_ref();
        let by_value = std::mem::replace(&mut self.1, Waker::noop().clone());
        by_value.wake();
    }
}

#[test]
fn a_waker_works_in_the_destructor_of_a_thread_local() {
    within(60, || {
        let rt = runtime(1);
        for _ in 0..20 {
            let (tx, rx) = mpsc::channel();
            let woken = Arc::new(AtomicUsize::new(0));
            let polls = woken.clone();
            let mut tx = Some(tx);
            let handle = rt.spawn(poll_fn(move |cx| {
                if let Some(tx) = tx.take() {
                    tx.send(cx.waker().clone()).expect("waited for");
                    return Poll::Pending;
                }
                polls.fetch_add(1, Ordering::SeqCst);
                Poll::Ready(())
            }));
            let waker = rx.recv().expect("given");
            let enter = rt.handle().clone();
            thread::spawn(move || {
                // Ours first, so that what gmp keeps for the thread goes before.
                AT_EXIT.set(Some(WakeAtExit(waker.clone(), waker)));
                let _entered = enter.enter();
            })
            .join()
            .unwrap();
            rt.block_on(handle).expect("woken");
            assert_eq!(woken.load(Ordering::SeqCst), 1);
        }
    });
}

struct SpawnAtExit {
    handle: gmp::runtime::Handle,
    told: mpsc::Sender<bool>,
}

impl Drop for SpawnAtExit {
    fn drop(&mut self) {
        // Nothing may panic here: a panic in this place ends the process.
        let outside = gmp::runtime::Handle::try_current().is_err();
        let told = self.told.clone();
        drop(self.handle.spawn(async move {
            told.send(outside).expect("waited for");
        }));
        let _entered = self.handle.enter();
        self.handle
            .block_on(gmp::time::sleep(Duration::from_micros(50)));
    }
}

#[test]
fn the_runtime_works_in_the_destructor_of_a_thread_local() {
    within(60, || {
        let rt = runtime(1);
        let (told, wait) = mpsc::channel();
        let handle = rt.handle().clone();
        thread::spawn(move || {
            let enter = handle.clone();
            SPAWN_AT_EXIT.set(Some(SpawnAtExit { handle, told }));
            let _entered = enter.enter();
        })
        .join()
        .unwrap();
        assert_eq!(wait.recv(), Ok(true));
    });
}

/// Takes a user's lock when it is dropped.
struct Locker(Arc<Mutex<u32>>);

impl Drop for Locker {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[test]
fn a_wake_under_a_lock_that_the_futures_drop_takes_does_not_deadlock() {
    within(60, || {
        let rt = runtime(2);
        for round in 0..200 {
            let lock = Arc::new(Mutex::new(0));
            let (tx, rx) = mpsc::channel();
            let held = Locker(lock.clone());
            let gives = give_waker(tx);
            let handle = rt.spawn(async move {
                let _held = held;
                gives.await;
            });
            let waker = rx.recv().expect("given");
            let abort = handle.abort_handle();
            drop(handle);
            if round % 2 == 0 {
                // The task is cancelled by a wake and by the last waker's end.
                let guard = lock.lock().unwrap();
                abort.abort();
                drop(abort);
                waker.wake();
                drop(guard);
            } else {
                let guard = lock.lock().unwrap();
                waker.wake_by_ref();
                drop(waker);
                drop(guard);
                abort.abort();
            }
            eventually("the future is dropped", || *lock.lock().unwrap() == 1);
        }
    });
}

#[test]
fn wake_by_ref_and_the_drop_of_the_last_waker_in_a_poll_lose_nothing() {
    within(60, || {
        let rt = runtime(2);
        let drops = Drops::new();
        for round in 0..2_000 {
            let token = drops.token();
            let mut polls = 0;
            let (tx, rx) = mpsc::channel();
            drop(rt.spawn(poll_fn(move |cx| {
                let _token = &token;
                polls += 1;
                if polls == 3 {
                    tx.send(polls).expect("waited for");
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                waker.wake_by_ref();
                drop(waker);
                Poll::Pending
            })));
            assert_eq!(rx.recv(), Ok(3), "round {round}");
        }
        eventually("all are dropped", || drops.count() == 2_000);
    });
}

#[test]
fn a_wake_from_another_thread_during_the_poll_leads_to_another_poll() {
    within(60, || {
        let rt = runtime(2);
        let (tx, rx) = mpsc::channel::<(Waker, mpsc::Sender<()>)>();
        let waking = thread::spawn(move || {
            for (waker, done) in rx {
                waker.wake();
                done.send(()).expect("the poll waits");
            }
        });
        for _ in 0..500 {
            let tx = tx.clone();
            let mut polled = false;
            let handle = rt.spawn(poll_fn(move |cx| {
                if std::mem::replace(&mut polled, true) {
                    return Poll::Ready(());
                }
                let (done, wait) = mpsc::channel();
                tx.send((cx.waker().clone(), done)).expect("it runs");
                wait.recv().expect("woken");
                Poll::Pending
            }));
            rt.block_on(handle).expect("woken during its poll");
        }
        drop(tx);
        waking.join().unwrap();
    });
}

#[test]
fn a_storm_of_wakes_is_seen_to_its_last_value() {
    within(60, || {
        let rt = runtime(2);
        let value = Arc::new(AtomicUsize::new(0));
        let seen = value.clone();
        let (tx, rx) = mpsc::channel();
        let mut tx = Some(tx);
        let wakes = 4 * 50_000;
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = polls.clone();
        let handle = rt.spawn(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Some(tx) = tx.take() {
                tx.send(cx.waker().clone()).expect("waited for");
            }
            if seen.load(Ordering::SeqCst) == wakes {
                return Poll::Ready(());
            }
            Poll::Pending
        }));
        let waker = rx.recv().expect("given");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (waker, value) = (waker.clone(), value.clone());
                thread::spawn(move || {
                    for _ in 0..50_000 {
                        value.fetch_add(1, Ordering::SeqCst);
                        waker.wake_by_ref();
                    }
                })
            })
            .collect();
        rt.block_on(handle).expect("the last wake is not lost");
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(polls.load(Ordering::SeqCst) <= wakes + 1);
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
