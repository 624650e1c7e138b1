//! `spawn_local`: tasks that stay on the thread of a `block_on`.

#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use gmp::runtime::{Builder, Runtime};
use gmp::task::{JoinSet, spawn_local};
use gmp::time::sleep;

use drops::Drops;
use eventually::eventually;
use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

#[test]
fn local_tasks_share_what_is_not_send_and_stay_on_their_thread() {
    within(60, || {
        for procs in [1, 2] {
            let me = thread::current().id();
            let sum = runtime(procs).block_on(async {
                let sum = Rc::new(Cell::new(0));
                let tasks: Vec<_> = (0..100)
                    .map(|n| {
                        let sum = sum.clone();
                        spawn_local(async move {
                            gmp::task::yield_now().await;
                            sleep(Duration::from_micros(10)).await;
                            assert_eq!(thread::current().id(), me);
                            sum.set(sum.get() + n);
                            Rc::new(n)
                        })
                    })
                    .collect();
                for (n, task) in tasks.into_iter().enumerate() {
                    assert_eq!(*task.await.expect("no panic"), n);
                }
                sum.get()
            });
            assert_eq!(sum, 99 * 100 / 2);
        }
    });
}

#[test]
fn local_tasks_spawn_local_tasks_and_talk_to_the_others() {
    within(60, || {
        runtime(2).block_on(async {
            let outer = spawn_local(async {
                let count = Rc::new(Cell::new(0));
                let inner = spawn_local({
                    let count = count.clone();
                    async move {
                        let remote = gmp::spawn(async {
                            gmp::task::yield_now().await;
                            5
                        });
                        count.set(remote.await.expect("no panic"));
                    }
                });
                inner.await.expect("no panic");
                count.get()
            });
            assert_eq!(outer.await.expect("no panic"), 5);
        });
    });
}

#[test]
fn ten_thousand_wakes_from_another_thread_beside_parked_workers_arrive() {
    within(60, || {
        let rt = runtime(4);
        // Four workers that have run and found nothing more to do.
        rt.block_on(async {
            let warm: JoinSet<()> = (0..64).map(|_| gmp::task::yield_now()).collect();
            warm.join_all().await;
        });
        let (ping, mut pings) = mpsc::unbounded::<u32>();
        let (pong, mut pongs) = mpsc::unbounded::<u32>();
        let waking = thread::spawn(move || {
            futures::executor::block_on(async {
                for round in 0..10_000 {
                    ping.unbounded_send(round).expect("the task waits");
                    assert_eq!(pongs.next().await, Some(round));
                }
            });
        });
        rt.block_on(async {
            let here = Rc::new(thread::current().id());
            let echo = spawn_local(async move {
                while let Some(round) = pings.next().await {
                    assert_eq!(thread::current().id(), *here);
                    pong.unbounded_send(round).expect("waited for");
                }
            });
            echo.await.expect("no panic");
        });
        waking.join().unwrap();
    });
}

#[test]
fn wakes_from_tasks_of_the_same_runtime_arrive_on_one_p() {
    within(60, || {
        let rt = runtime(1);
        rt.block_on(async {
            let (ping, mut pings) = mpsc::unbounded::<u32>();
            let (pong, mut pongs) = mpsc::unbounded::<u32>();
            let remote = gmp::spawn(async move {
                for round in 0..5_000 {
                    ping.unbounded_send(round).expect("the task waits");
                    assert_eq!(pongs.next().await, Some(round));
                }
            });
            let held = Rc::new(());
            let echo = spawn_local(async move {
                let _held = held;
                while let Some(round) = pings.next().await {
                    pong.unbounded_send(round).expect("waited for");
                }
            });
            remote.await.expect("no panic");
            echo.await.expect("no panic");
        });
    });
}

/// Counts drops and asks on which thread they happen.
struct Here(Drops, thread::ThreadId);

impl Drop for Here {
    fn drop(&mut self) {
        assert_eq!(thread::current().id(), self.1, "dropped on another thread");
        drop(self.0.token());
    }
}

#[test]
fn what_is_left_at_the_end_of_block_on_is_dropped_there() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let drops = Drops::new();
            let me = thread::current().id();
            let (handles, wakers) = rt.block_on(async {
                let wakers = Rc::new(RefCell::new(Vec::<Waker>::new()));
                let mut handles = Vec::new();
                for n in 0..50 {
                    let held = Here(drops.clone(), me);
                    let wakers = wakers.clone();
                    handles.push(spawn_local(async move {
                        let _held = held;
                        poll_fn(|cx| {
                            wakers.borrow_mut().push(cx.waker().clone());
                            Poll::Ready(())
                        })
                        .await;
                        match n % 3 {
                            0 => pending::<()>().await,
                            1 => sleep(Duration::from_secs(3600)).await,
                            _ => loop {
                                gmp::task::yield_now().await;
                            },
                        }
                    }));
                }
                // Half of them begin to run, the rest is never polled.
                gmp::task::yield_now().await;
                let wakers = wakers.take();
                (handles, wakers)
            });
            assert_eq!(drops.count(), 50);
            for waker in wakers {
                waker.wake();
            }
            for handle in handles {
                let joined = rt.block_on(handle);
                assert!(joined.expect_err("left behind").is_cancelled());
            }
            eventually("none is left", || rt.handle().num_tasks() == 0);
        }
    });
}

#[test]
fn drops_at_the_end_of_block_on_may_spawn_more() {
    struct Again(Option<Box<Again>>, Drops);
    impl Drop for Again {
        fn drop(&mut self) {
            drop(self.1.token());
            if let Some(next) = self.0.take() {
                drop(spawn_local(async move {
                    let _next = next;
                    pending::<()>().await;
                }));
            }
        }
    }
    within(60, || {
        let drops = Drops::new();
        let rt = runtime(1);
        rt.block_on(async {
            let mut chain = Again(None, drops.clone());
            for _ in 0..9 {
                chain = Again(Some(Box::new(chain)), drops.clone());
            }
            drop(spawn_local(async move {
                let _chain = chain;
                pending::<()>().await;
            }));
            gmp::task::yield_now().await;
        });
        assert_eq!(drops.count(), 10);
        assert_eq!(rt.handle().num_tasks(), 0);
    });
}

#[test]
fn local_tasks_are_aborted_from_plain_threads_and_dropped_at_home() {
    within(60, || {
        let rt = runtime(2);
        let drops = Drops::new();
        let me = thread::current().id();
        rt.block_on(async {
            for _ in 0..200 {
                let held = Here(drops.clone(), me);
                let task = spawn_local(async move {
                    let _held = held;
                    pending::<()>().await;
                });
                gmp::task::yield_now().await;
                let abort = task.abort_handle();
                let aborter = thread::spawn(move || abort.abort());
                assert!(task.await.expect_err("aborted").is_cancelled());
                aborter.join().unwrap();
            }
        });
        assert_eq!(drops.count(), 200);
    });
}

#[test]
fn a_shutdown_from_another_thread_drops_local_tasks_at_home() {
    within(60, || {
        let rt = runtime(2);
        let handle = rt.handle().clone();
        let drops = Drops::new();
        let seen = drops.clone();
        let (tx, rx) = std::sync::mpsc::channel();
        let root = thread::spawn(move || {
            let me = thread::current().id();
            handle.block_on(async move {
                let held = Here(seen, me);
                let task = spawn_local(async move {
                    let _held = held;
                    pending::<()>().await;
                });
                gmp::task::yield_now().await;
                tx.send(()).expect("waited for");
                task.await.expect_err("cancelled").is_cancelled()
            })
        });
        rx.recv().expect("begun");
        drop(rt);
        assert_eq!(drops.count(), 1);
        assert!(root.join().unwrap());
    });
}

#[test]
fn a_dropped_handle_detaches_a_local_task() {
    within(60, || {
        runtime(1).block_on(async {
            let (tx, rx) = oneshot::channel();
            let held = Rc::new(3);
            drop(spawn_local(async move {
                gmp::task::yield_now().await;
                tx.send(*held).expect("waited for");
            }));
            assert_eq!(rx.await, Ok(3));
        });
    });
}

#[test]
fn local_tasks_go_on_during_a_nested_block_on() {
    within(60, || {
        runtime(1).block_on(async {
            let count = Rc::new(Cell::new(0));
            let ticking = {
                let count = count.clone();
                spawn_local(async move {
                    loop {
                        count.set(count.get() + 1);
                        gmp::task::yield_now().await;
                    }
                })
            };
            gmp::block_on(async {
                while count.get() < 100 {
                    gmp::task::yield_now().await;
                }
            });
            ticking.abort();
            assert!(ticking.await.is_err());
        });
    });
}

#[test]
fn local_tasks_of_many_threads_keep_apart() {
    within(60, || {
        let rt = Arc::new(runtime(2));
        let total = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (rt, total) = (rt.clone(), total.clone());
                thread::spawn(move || {
                    let me = thread::current().id();
                    rt.block_on(async {
                        let mut set = JoinSet::new();
                        for _ in 0..50 {
                            let here = Rc::new(me);
                            set.spawn_local(async move {
                                for _ in 0..20 {
                                    gmp::task::yield_now().await;
                                    assert_eq!(thread::current().id(), *here);
                                }
                                here
                            });
                        }
                        while let Some(joined) = set.join_next().await {
                            assert_eq!(*joined.expect("no panic"), me);
                            total.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(total.load(Ordering::SeqCst), 8 * 50);
    });
}

#[test]
fn a_local_task_that_blocks_its_thread_stalls_only_that() {
    within(60, || {
        runtime(1).block_on(async {
            let (tx, rx) = std::sync::mpsc::channel();
            let remote = gmp::spawn(async move {
                for _ in 0..10 {
                    sleep(Duration::from_millis(1)).await;
                }
                tx.send(()).expect("waited for");
            });
            let held = Rc::new(());
            let local = spawn_local(async move {
                let _held = held;
                // Blocks the thread until a task of the only P has run.
                rx.recv().expect("sent");
            });
            local.await.expect("no panic");
            remote.await.expect("no panic");
        });
    });
}

#[test]
fn outside_a_block_on_it_panics_and_names_the_cure() {
    within(60, || {
        let text_of = |panic: Box<dyn std::any::Any + Send>| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned()))
                .expect("a text")
        };
        let outside = catch_unwind(AssertUnwindSafe(|| drop(spawn_local(async {}))));
        let text = text_of(outside.expect_err("no block_on here"));
        assert!(
            text.contains("block_on") && text.contains("gmp::spawn"),
            "{text}"
        );
        let rt = runtime(1);
        let in_a_worker = rt.spawn(async { drop(spawn_local(async {})) });
        let error = rt.block_on(in_a_worker).expect_err("not its thread");
        let text = text_of(error.into_panic());
        assert!(
            text.contains("block_on") && text.contains("gmp::spawn"),
            "{text}"
        );
        // The worker's task is counted until after its end was told.
        eventually("nothing was counted", || rt.handle().num_tasks() == 0);
    });
}
