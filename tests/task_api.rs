//! The module `task`: `JoinSet`, ids, names, giving way and blocking sections.

#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "task_api/join_set.rs"]
mod join_set;
#[path = "task_api/local.rs"]
mod local;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::collections::HashSet;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use gmp::runtime::{Builder, Runtime};
use gmp::task::{self, AbortHandle, Id, JoinError, JoinHandle, JoinSet};
use gmp::time::sleep;

use drops::Drops;
use eventually::eventually;
use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

// Ids and names.

#[test]
fn a_task_knows_its_id_and_a_plain_thread_has_none() {
    within(60, || {
        assert!(task::try_id().is_none());
        let caught = catch_unwind(task::id);
        let panic = caught.expect_err("no task runs here");
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.contains("try_id"), "it names the cure: {text}");
        let rt = runtime(2);
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            let task = rt.spawn(async {
                let before = task::id();
                task::yield_now().await;
                assert_eq!(task::try_id(), Some(before), "the same on every M");
                before
            });
            let (id, abort) = (task.id(), task.abort_handle());
            assert_eq!(abort.id(), id);
            assert_eq!(rt.block_on(task).expect("no panic"), id);
            assert!(seen.insert(id), "{id} was used twice");
            assert_eq!(id.to_string(), id.get().to_string());
        }
    });
}

#[test]
fn a_builder_names_and_spawns() {
    within(60, || {
        let rt = runtime(1);
        let on = task::Builder::new()
            .name("reader")
            .spawn_on(async { task::id() }, rt.handle());
        let id = on.id();
        assert_eq!(rt.block_on(on).expect("no panic"), id);
        let without_name = rt.block_on(async { task::Builder::default().spawn(async { 2 }).await });
        assert_eq!(without_name.expect("no panic"), 2);
        let empty = gmp::block_on(task::Builder::new().name("").spawn(async { 3 }));
        assert_eq!(empty.expect("no panic"), 3);
    });
}

#[test]
fn a_migrating_task_asks_its_thread_anew() {
    within(60, || {
        let rt = runtime(4);
        rt.block_on(async {
            let tasks: Vec<_> = (0..16)
                .map(|_| {
                    gmp::spawn(async {
                        let me = task::id();
                        for _ in 0..1_000 {
                            task::yield_now().await;
                            assert_eq!(task::id(), me);
                            assert!(gmp::runtime::Handle::try_current().is_ok());
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
    });
}

// Handles.

#[test]
fn a_handle_that_is_awaited_twice_says_so() {
    within(60, || {
        let rt = runtime(1);
        let mut handle = rt.spawn(async { 1 });
        let caught = rt.block_on(async {
            assert_eq!((&mut handle).await.expect("no panic"), 1);
            AssertUnwindSafe(&mut handle).catch_unwind().await
        });
        let panic = caught.expect_err("its output is gone");
        let text = panic.downcast_ref::<&str>().expect("a text");
        assert!(text.contains("JoinHandle"), "{text}");
    });
}

#[test]
fn public_types_are_send_and_sync_where_callers_rely_on_it() {
    fn all<T: Send + Sync + Unpin>() {}
    fn movable<T: Send>() {}
    all::<JoinHandle<u8>>();
    all::<AbortHandle>();
    all::<JoinError>();
    all::<Id>();
    all::<gmp::runtime::Handle>();
    all::<Runtime>();
    all::<gmp::runtime::Metrics>();
    all::<gmp::runtime::ShutdownReport>();
    all::<gmp::time::Instant>();
    all::<gmp::time::Interval>();
    all::<gmp::time::Sleep>();
    movable::<JoinSet<u8>>();
    movable::<Builder>();
    movable::<gmp::time::Timeout<std::future::Ready<()>>>();
}

// Giving way.

#[test]
fn a_yielding_task_lets_all_others_of_its_p_run_first() {
    within(60, || {
        let rt = runtime(1);
        let order = rt.block_on(async {
            let task = gmp::spawn(async {
                let (tx, rx) = mpsc::channel();
                let others: Vec<_> = (0..50)
                    .map(|n| {
                        let tx = tx.clone();
                        gmp::spawn(async move { tx.send(n).expect("waited for") })
                    })
                    .collect();
                task::yield_now().await;
                tx.send(50).expect("waited for");
                for other in others {
                    other.await.expect("no panic");
                }
                drop(tx);
                rx.iter().collect::<Vec<_>>()
            });
            task.await.expect("no panic")
        });
        // A thief may help, so the order of the fifty is open; ours is not.
        assert_eq!(order.len(), 51);
        assert_eq!(order.last(), Some(&50));
    });
}

#[test]
fn a_safepoint_gives_way_only_when_asked() {
    within(60, || {
        let rt = runtime(1);
        rt.block_on(async {
            for _ in 0..1_000 {
                task::consume_budget().await;
            }
        });
        // A computing task with safepoints and no other suspension: others run.
        let stop = Arc::new(AtomicBool::new(false));
        let spin = {
            let stop = stop.clone();
            rt.spawn(async move {
                let mut rounds = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    rounds += 1;
                    task::safepoint().await;
                }
                rounds
            })
        };
        let other = {
            let stop = stop.clone();
            rt.spawn(async move { stop.store(true, Ordering::Relaxed) })
        };
        rt.block_on(async {
            other.await.expect("no panic");
            assert!(spin.await.expect("no panic") > 0);
        });
    });
}

#[test]
fn an_unconstrained_future_is_never_made_to_wait_by_its_leaves() {
    within(60, || {
        // Without hand-off it keeps its P for as long as it computes.
        let rt = Builder::new()
            .procs(1)
            .handoff(false)
            .time_slice(Duration::from_millis(1))
            .build()
            .expect("a runtime");
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = polls.clone();
        let task = rt.spawn(async move {
            let begun = std::time::Instant::now();
            let mut inner = Box::pin(task::unconstrained(async move {
                while begun.elapsed() < Duration::from_millis(50) {
                    task::safepoint().await;
                    sleep(Duration::ZERO).await;
                }
            }));
            poll_fn(|cx| {
                counted.fetch_add(1, Ordering::SeqCst);
                inner.as_mut().poll(cx)
            })
            .await;
        });
        rt.block_on(task).expect("no panic");
        assert_eq!(polls.load(Ordering::SeqCst), 1);
    });
}

// Blocking sections.

#[test]
fn block_in_place_works_nested_and_in_every_place() {
    within(60, || {
        let nested = || task::block_in_place(|| task::block_in_place(|| 1) + 1) + 1;
        assert_eq!(nested(), 3, "on a plain thread");
        assert_eq!(gmp::block_on(async { nested() }), 3, "in block_on");
        for procs in [1, 2] {
            let rt = runtime(procs);
            let _entered = rt.enter();
            assert_eq!(nested(), 3, "in an entered thread");
            assert_eq!(rt.block_on(async { nested() }), 3);
            let in_task = rt.spawn(async move {
                let got = nested();
                task::yield_now().await;
                got + task::block_in_place(|| {
                    gmp::block_on(async move {
                        sleep(Duration::from_micros(50)).await;
                        nested()
                    })
                })
            });
            assert_eq!(rt.block_on(in_task).expect("no panic"), 6);
            let in_blocking = task::spawn_blocking(nested);
            assert_eq!(rt.block_on(in_blocking).expect("no panic"), 3);
            rt.block_on(async move {
                let local = task::spawn_local(async move { nested() });
                assert_eq!(local.await.expect("no panic"), 3);
            });
        }
    });
}

#[test]
fn spawn_blocking_runs_bursts_around_the_end_of_idle_threads() {
    within(60, || {
        let rt = Builder::new()
            .procs(2)
            .thread_keep_alive(Duration::from_millis(1))
            .build()
            .expect("a runtime");
        rt.block_on(async {
            let mut total = 0;
            for round in 0..60 {
                let burst: Vec<_> = (0..16)
                    .map(|n| {
                        task::spawn_blocking(move || {
                            if n % 4 == 0 {
                                thread::sleep(Duration::from_micros(300));
                            }
                            1
                        })
                    })
                    .collect();
                for closure in burst {
                    total += closure.await.expect("no panic");
                }
                // Around the moment at which idle threads end.
                sleep(Duration::from_micros(700 + round * 10)).await;
            }
            assert_eq!(total, 60 * 16);
        });
    });
}

#[test]
fn blocking_closures_may_wait_for_each_other() {
    within(60, || {
        let rt = runtime(1);
        let _entered = rt.enter();
        let mut chain = Vec::new();
        let (first, mut wait) = mpsc::channel::<u32>();
        for _ in 0..20 {
            let (tx, rx) = mpsc::channel();
            let before = std::mem::replace(&mut wait, rx);
            chain.push(task::spawn_blocking(move || {
                let n = before.recv().expect("sent");
                tx.send(n + 1).expect("waited for");
            }));
        }
        first.send(0).expect("waited for");
        assert_eq!(wait.recv(), Ok(20));
        for closure in chain {
            rt.block_on(closure).expect("no panic");
        }
    });
}

#[test]
fn an_aborted_closure_that_has_begun_runs_to_its_end() {
    within(60, || {
        let rt = runtime(1);
        let _entered = rt.enter();
        let (tx, begun) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let closure = task::spawn_blocking(move || {
            tx.send(()).expect("waited for");
            wait.recv().expect("told to go on");
            9
        });
        begun.recv().expect("begun");
        closure.abort();
        go.send(()).expect("it waits");
        assert_eq!(rt.block_on(closure).expect("it ended"), 9);
    });
}
