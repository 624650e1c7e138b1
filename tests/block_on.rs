//! `block_on` works anywhere: on plain threads, in a task, inside another
//! runtime, many at once, and for futures that borrow.

#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use gmp::runtime::{Builder, Handle, Runtime};
use gmp::time::{sleep, timeout};

use eventually::eventually;
use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

#[test]
fn a_plain_thread_needs_no_set_up() {
    within(60, || {
        assert!(Handle::try_current().is_err());
        let sum = gmp::block_on(async {
            assert!(Handle::try_current().is_ok());
            let one = gmp::spawn(async { 1 });
            sleep(Duration::from_millis(1)).await;
            one.await.expect("no panic") + 1
        });
        assert_eq!(sum, 2);
        assert!(Handle::try_current().is_err());
    });
}

#[test]
fn every_primitive_works_under_a_foreign_executor_without_set_up() {
    within(60, || {
        futures::executor::block_on(async {
            sleep(Duration::from_millis(1)).await;
            let never = timeout(Duration::from_millis(1), pending::<()>());
            assert!(never.await.is_err());
            let mut interval = gmp::time::interval(Duration::from_millis(1));
            interval.tick().await;
            interval.tick().await;
            assert_eq!(gmp::spawn(async { 3 }).await.expect("no panic"), 3);
            assert_eq!(gmp::task::spawn_blocking(|| 4).await.expect("no panic"), 4);
            assert_eq!(gmp::task::block_in_place(|| 5), 5);
            gmp::task::yield_now().await;
            gmp::task::safepoint().await;
            let mut set = gmp::task::JoinSet::new();
            set.spawn(async { 6 });
            assert_eq!(set.join_next().await.expect("one task").expect("joined"), 6);
            assert!(gmp::task::try_id().is_none());
        });
    });
}

#[test]
fn the_future_may_borrow_and_need_not_be_send() {
    within(60, || {
        let text = String::from("borrowed");
        let shared = Rc::new(Cell::new(0));
        let len = gmp::block_on(async {
            for _ in 0..100 {
                shared.set(shared.get() + 1);
                gmp::task::yield_now().await;
            }
            sleep(Duration::from_micros(100)).await;
            text.len()
        });
        assert_eq!((len, shared.get(), text.as_str()), (8, 100, "borrowed"));
    });
}

#[test]
fn the_root_stays_on_the_thread_of_its_caller() {
    within(60, || {
        let rt = runtime(2);
        let me = thread::current().id();
        rt.block_on(async {
            for _ in 0..200 {
                gmp::task::yield_now().await;
                assert_eq!(thread::current().id(), me);
            }
            sleep(Duration::from_millis(1)).await;
            assert_eq!(thread::current().id(), me);
        });
    });
}

#[test]
fn it_nests_three_levels_deep_inside_a_task_on_one_p() {
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(async {
            1 + gmp::block_on(async {
                sleep(Duration::from_millis(1)).await;
                let inner = gmp::spawn(async { 10 });
                inner.await.expect("no panic")
                    + gmp::block_on(async {
                        gmp::task::yield_now().await;
                        100 + gmp::block_on(async {
                            let task = gmp::spawn(async {
                                sleep(Duration::from_micros(100)).await;
                                1000
                            });
                            task.await.expect("no panic")
                        })
                    })
            })
        });
        assert_eq!(rt.block_on(task).expect("no panic"), 1111);
    });
}

#[test]
fn the_outer_task_goes_on_as_before_after_a_nested_one() {
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(async {
            let id = gmp::task::id();
            for _ in 0..50 {
                gmp::block_on(async { gmp::task::yield_now().await });
                assert_eq!(gmp::task::id(), id);
                gmp::task::yield_now().await;
                gmp::block_on(async { sleep(Duration::from_micros(20)).await });
                sleep(Duration::from_micros(20)).await;
                assert_eq!(gmp::task::id(), id);
            }
        });
        rt.block_on(task).expect("no panic");
    });
}

#[test]
fn more_tasks_than_ps_may_be_nested_at_once() {
    within(60, || {
        let rt = runtime(2);
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                rt.spawn(async move {
                    gmp::block_on(async move {
                        sleep(Duration::from_millis(2)).await;
                        gmp::spawn(async move { n }).await.expect("no panic")
                    })
                })
            })
            .collect();
        let sum: usize = rt.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await.expect("no panic");
            }
            sum
        });
        assert_eq!(sum, 49 * 50 / 2);
    });
}

#[test]
fn yield_now_is_not_lost_as_the_last_act_before_a_blocking_section_or_a_foreign_executor() {
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(async {
            for _ in 0..200 {
                gmp::task::yield_now().await;
                gmp::task::block_in_place(|| ());
                let mut yielding = gmp::task::yield_now();
                // Asked, but given up before the poll of the task returns.
                assert!(futures::poll!(&mut yielding).is_pending());
                futures::executor::block_on(gmp::task::yield_now());
                yielding.await;
                gmp::block_on(gmp::task::yield_now());
            }
        });
        rt.block_on(task).expect("no panic");
    });
}

#[test]
fn it_works_inside_a_foreign_executors_thread() {
    within(60, || {
        let sum = futures::executor::block_on(async {
            let inner = gmp::block_on(async {
                sleep(Duration::from_millis(1)).await;
                gmp::spawn(async { 1 }).await.expect("no panic")
            });
            inner + gmp::spawn(async { 1 }).await.expect("no panic")
        });
        assert_eq!(sum, 2);
    });
}

#[test]
fn a_foreign_block_on_inside_a_task_stalls_nobody() {
    within(60, || {
        let rt = runtime(1);
        let task = rt.spawn(async {
            futures::executor::block_on(async {
                // What it waits for has to run on the only P.
                let inner = gmp::spawn(async {
                    sleep(Duration::from_millis(1)).await;
                    9
                });
                inner.await.expect("no panic")
            })
        });
        assert_eq!(rt.block_on(task).expect("no panic"), 9);
    });
}

#[test]
fn it_works_inside_a_task_of_another_runtime() {
    within(60, || {
        let outer = runtime(1);
        let inner = Arc::new(runtime(1));
        let here = inner.handle().clone();
        let task = outer.spawn(async move {
            let of_outer = Handle::current();
            let sum = inner.block_on(async {
                assert!(Handle::current().same_runtime(inner.handle()));
                sleep(Duration::from_millis(1)).await;
                let back = of_outer.spawn(async { 1 }).await.expect("no panic");
                // A task of the outer runtime from within the inner one.
                back + of_outer.block_on(async {
                    sleep(Duration::from_millis(1)).await;
                    gmp::spawn(async { 2 }).await.expect("no panic")
                })
            });
            assert!(Handle::current().same_runtime(&of_outer));
            sum
        });
        assert_eq!(outer.block_on(task).expect("no panic"), 3);
        eventually("the ends are counted", || here.num_tasks() == 0);
    });
}

#[test]
fn many_threads_block_on_one_runtime_at_once() {
    within(60, || {
        let rt = Arc::new(runtime(2));
        let sum = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..32)
            .map(|n| {
                let (rt, sum) = (rt.clone(), sum.clone());
                thread::spawn(move || {
                    for round in 0..20 {
                        let got = rt.block_on(async {
                            sleep(Duration::from_micros(50)).await;
                            gmp::task::yield_now().await;
                            gmp::spawn(async move { n + round }).await.expect("joined")
                        });
                        assert_eq!(got, n + round);
                        sum.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(sum.load(Ordering::SeqCst), 32 * 20);
        assert_eq!(rt.handle().metrics().procs.len(), 2);
    });
}

#[test]
fn threads_that_block_on_each_others_messages_make_progress_on_one_p() {
    within(60, || {
        let rt = Arc::new(runtime(1));
        let mut chain = Vec::new();
        let (first, mut wait) = oneshot::channel::<u32>();
        for _ in 0..16 {
            let (tx, rx) = oneshot::channel();
            let before = std::mem::replace(&mut wait, rx);
            let rt = rt.clone();
            chain.push(thread::spawn(move || {
                rt.block_on(async {
                    let n = before.await.expect("sent");
                    tx.send(n + 1).expect("waited for");
                });
            }));
        }
        first.send(0).expect("waited for");
        assert_eq!(rt.block_on(wait), Ok(16));
        for thread in chain {
            thread.join().unwrap();
        }
    });
}

#[test]
fn the_root_goes_on_while_a_task_hogs_the_only_p() {
    within(60, || {
        let rt = runtime(1);
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let hog = rt.spawn(async move { stopped.recv().is_ok() });
        rt.block_on(async {
            for _ in 0..20 {
                sleep(Duration::from_millis(1)).await;
                gmp::task::yield_now().await;
            }
        });
        stop.send(()).expect("the hog waits");
        assert!(rt.block_on(hog).expect("no panic"));
    });
}

#[test]
fn a_root_that_waits_alone_is_woken_by_the_worker_that_fires_its_timer() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let waking = {
                let (handle, stop) = (rt.handle().clone(), stop.clone());
                // It ends by itself: on a loaded machine it may spawn faster than
                // one worker runs, and a queue that only grows keeps the root
                // waiting at its tail.
                let until = Instant::now() + Duration::from_secs(5);
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) && Instant::now() < until {
                        drop(handle.spawn(async {}));
                        thread::yield_now();
                    }
                })
            };
            rt.block_on(async {
                // Without it there is nothing to wait for but the inbox.
                let mut never = std::pin::pin!(sleep(Duration::MAX));
                assert!(futures::poll!(&mut never).is_pending());
                // The spawner and the worker keep two cores busy: on a small
                // machine each wake of the root may wait for the kernel's slice.
                let enough = Instant::now() + Duration::from_secs(4);
                for n in 0..30_000 {
                    // So short that the worker may fire it before the root has
                    // begun to wait.
                    sleep(Duration::from_nanos(n % 8_000)).await;
                    if Instant::now() > enough {
                        break;
                    }
                }
            });
            stop.store(true, Ordering::Relaxed);
            waking.join().unwrap();
        }
    });
}

#[test]
fn a_timer_on_any_p_outlives_the_thread_that_waited_for_events() {
    within(60, || {
        for procs in [1, 2, 3] {
            let rt = Arc::new(runtime(procs));
            let asleep = |millis| {
                let rt = rt.clone();
                thread::spawn(move || rt.block_on(sleep(Duration::from_millis(millis))))
            };
            // The first one waits for events, the others for their turn; a root
            // that computes meanwhile makes them use different Ps.
            for _ in 0..4 {
                let poller = asleep(20);
                rt.block_on(async {
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_millis(2) {
                        std::hint::spin_loop();
                    }
                });
                let busy = rt.clone();
                let (tx, rx) = std::sync::mpsc::channel();
                let computing = thread::spawn(move || {
                    busy.block_on(async move {
                        let begun = Instant::now();
                        tx.send(()).expect("waited for");
                        while begun.elapsed() < Duration::from_millis(5) {
                            std::hint::spin_loop();
                        }
                    });
                });
                rx.recv().expect("begun");
                let sleepers: Vec<_> = (1..4).map(|n| asleep(30 * n)).collect();
                for thread in [poller, computing].into_iter().chain(sleepers) {
                    thread.join().unwrap();
                }
            }
        }
    });
}

#[test]
fn work_that_is_left_when_it_returns_is_done_by_the_runtime() {
    within(60, || {
        let rt = runtime(2);
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            rt.block_on(async {
                for _ in 0..50 {
                    let done = done.clone();
                    drop(gmp::spawn(async move {
                        done.fetch_add(1, Ordering::SeqCst);
                    }));
                }
            });
        }
        let patience = Instant::now() + Duration::from_secs(30);
        while done.load(Ordering::SeqCst) < 5_000 {
            assert!(Instant::now() < patience, "tasks are stuck");
            thread::yield_now();
        }
    });
}

#[test]
fn a_panic_of_the_root_goes_on_in_the_caller_with_its_payload() {
    within(60, || {
        let rt = runtime(1);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            rt.block_on(async {
                gmp::task::yield_now().await;
                std::panic::panic_any(42_u64);
            })
        }));
        let payload: Box<u64> = caught.expect_err("a panic").downcast().expect("unchanged");
        assert_eq!(*payload, 42);
        // Nested, it passes through the task to its handle.
        let task = rt.spawn(async { gmp::block_on(async { std::panic::panic_any(43_u64) }) });
        let error = rt.block_on(task).expect_err("a panic");
        assert_eq!(error.into_panic().downcast_ref::<u64>(), Some(&43));
        assert_eq!(rt.block_on(async { 1 }), 1);
    });
}

#[test]
fn as_many_threads_as_ps_are_enough_beside_those_that_call_block_on() {
    within(60, || {
        let rt = Builder::new()
            .procs(1)
            .max_threads(1)
            .build()
            .expect("a runtime");
        let sum = rt.block_on(async {
            sleep(Duration::from_millis(1)).await;
            gmp::spawn(async { 1 }).await.expect("no panic")
        });
        assert_eq!(sum, 1);
    });
}

#[test]
fn it_returns_after_the_end_of_its_runtime() {
    within(60, || {
        let rt = runtime(1);
        let handle = rt.handle().clone();
        drop(rt);
        assert_eq!(handle.block_on(async { 1 }), 1);
        assert_eq!(
            handle.block_on(async {
                gmp::task::yield_now().await;
                2
            }),
            2
        );
        let late = handle.block_on(async { gmp::spawn(async { 3 }).await });
        assert!(late.expect_err("the runtime has ended").is_cancelled());
    });
}

#[test]
fn a_sleep_after_the_end_of_its_runtime_ends() {
    within(60, || {
        let rt = runtime(1);
        let handle = rt.handle().clone();
        drop(rt);
        handle.block_on(sleep(Duration::from_millis(1)));
    });
}

#[test]
fn handles_of_the_present_runtime_are_found_in_every_place() {
    within(60, || {
        let a = runtime(1);
        let b = runtime(1);
        let (in_a, in_b) = (a.handle().clone(), b.handle().clone());
        assert!(a.block_on(async { Handle::current() }).same_runtime(&in_a));
        let entered = b.enter();
        assert!(Handle::current().same_runtime(&in_b));
        // The task that runs here counts more than what was entered.
        assert!(a.block_on(async { Handle::current() }).same_runtime(&in_a));
        let by_task = a.spawn(async { Handle::try_current().expect("a task runs here") });
        assert!(a.block_on(by_task).expect("no panic").same_runtime(&in_a));
        drop(entered);
        assert!(Handle::try_current().is_err());
        let global = Handle::current();
        assert!(!global.same_runtime(&in_a) && !global.same_runtime(&in_b));
        assert!(Handle::current().same_runtime(&global));
    });
}

#[test]
fn enter_guards_may_be_dropped_in_any_order() {
    within(60, || {
        let (a, b) = (runtime(1), runtime(1));
        let (a, b) = (a.handle(), b.handle());
        let is = |handle: &Handle| Handle::try_current().is_ok_and(|h| h.same_runtime(handle));
        let first = a.enter();
        let second = b.enter();
        let third = a.enter();
        drop(first);
        assert!(is(a), "the latest guard that is left is of a");
        drop(third);
        assert!(is(b));
        let fourth = a.enter();
        drop(second);
        assert!(is(a));
        drop(fourth);
        assert!(Handle::try_current().is_err());
    });
}

#[test]
fn sleeps_and_handles_go_from_runtime_to_runtime() {
    within(60, || {
        let (a, b) = (runtime(1), runtime(1));
        for _ in 0..20 {
            // Armed on the heap of a, awaited by a task of b. One that was over before
            // its first poll is armed nowhere.
            let nap = loop {
                let mut nap = Box::pin(sleep(Duration::from_millis(2)));
                if a.block_on(async { futures::poll!(&mut nap).is_pending() }) {
                    break nap;
                }
            };
            let task = b.spawn(async move {
                nap.await;
                assert!(Handle::current().num_tasks() <= 1, "on its own runtime");
                Handle::current()
            });
            let where_it_ran = b.block_on(task).expect("no panic");
            assert!(where_it_ran.same_runtime(b.handle()));
        }
        drop(a);
        drop(b);
    });
}
