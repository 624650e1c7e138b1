//! Who is woken for work, and what is left when there is none: T-36 and T-39 on
//! a whole runtime. Step by step they are in the executor's own tests.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use gmp::runtime::{Builder, Handle, Metrics};

use crate::eventually::eventually;
use crate::one_p::RULES;
use crate::watched::watch;

/// Waits until no task can run and no M searches.
fn quiet(handle: &Handle) -> Metrics {
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        let metrics = handle.metrics();
        if metrics.idle_procs == metrics.procs.len() && metrics.spinning == 0 {
            return metrics;
        }
        assert!(
            Instant::now() < limit,
            "it does not come to rest: {metrics:?}"
        );
        thread::yield_now();
    }
}

fn global_takes(metrics: &Metrics) -> u64 {
    metrics.procs.iter().map(|p| p.global_takes).sum()
}

/// Rule R-SPIN-9, T-36: a wake from a thread that is no M's goes through the
/// global queue.
#[test]
fn t36_a_foreign_thread_wakes_a_task_of_an_idle_runtime() {
    for rules in RULES {
        watch(Builder::new().procs(4).rules(rules), |runtime| {
            let handle = runtime.handle();
            let (wakers, parked) = mpsc::channel::<Waker>();
            let (ends, ended) = mpsc::channel::<()>();
            let mut woken = false;
            drop(runtime.spawn(async move {
                poll_fn(|cx| {
                    if woken {
                        return Poll::Ready(());
                    }
                    woken = true;
                    wakers.send(cx.waker().clone()).expect("the test listens");
                    Poll::Pending
                })
                .await;
                ends.send(()).expect("the test listens");
            }));
            let waker = parked.recv().expect("the task parks");
            let before = global_takes(&quiet(handle));
            waker.wake();
            ended.recv().expect("the task runs");
            let after = global_takes(&quiet(handle));
            assert_eq!(after - before, 1);
        });
    }
}

/// Rules R-SPIN-1, R-SPIN-10 and R-P-3, T-39: under load no count leaves its
/// bounds, and at rest nobody spins and every P is on the idle list.
#[test]
fn t39_counts_at_rest() {
    const PROCS: usize = 4;
    const ROUNDS: usize = 50;
    for rules in RULES {
        watch(Builder::new().procs(PROCS).rules(rules), |runtime| {
            let handle = runtime.handle();
            for _ in 0..ROUNDS {
                let (ends, ended) = mpsc::channel::<()>();
                for _ in 0..20 {
                    let ends = ends.clone();
                    drop(runtime.spawn(async move {
                        gmp::task::yield_now().await;
                        let inner = gmp::spawn(async {
                            gmp::time::sleep(Duration::from_micros(20)).await;
                        });
                        inner.await.expect("a sleeper ends");
                        drop(ends);
                    }));
                }
                drop(ends);
                while ended.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
                    let metrics = handle.metrics();
                    // Below zero it would be huge.
                    assert!(metrics.spinning <= metrics.threads + PROCS, "{metrics:?}");
                    assert!(metrics.idle_procs <= PROCS, "{metrics:?}");
                    thread::yield_now();
                }
                let metrics = quiet(handle);
                assert_eq!(metrics.injector_depth, 0);
                assert!(metrics.procs.iter().all(|p| p.queue_depth == 0));
                // A thread whose P was taken may still be at the end of a poll.
                eventually("every task ends", || {
                    let now = handle.metrics();
                    now.spawned == now.finished
                });
            }
        });
    }
}

/// Rules R-SPIN-5 and 6: tasks that park at the very moment in which a foreign
/// thread wakes them. A lost wake-up would hang.
#[test]
fn wakes_race_with_ms_that_go_to_sleep() {
    for rules in RULES {
        watch(Builder::new().procs(2).rules(rules), |runtime| {
            let (wakers, parked) = mpsc::sync_channel::<Waker>(1);
            let task = runtime.spawn(async move {
                for _ in 0..5000 {
                    let mut sent = false;
                    poll_fn(|cx| {
                        if sent {
                            return Poll::Ready(());
                        }
                        sent = true;
                        wakers.send(cx.waker().clone()).expect("the waker listens");
                        Poll::Pending
                    })
                    .await;
                }
            });
            let waker = thread::spawn(move || parked.iter().for_each(Waker::wake));
            runtime.block_on(task).expect("every wake arrived");
            waker.join().expect("the waker ends with its channel");
        });
    }
}
