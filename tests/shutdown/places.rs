//! Where a runtime may end: in tasks, in other runtimes, at the end of a thread.

use super::*;

#[test]
fn a_runtime_may_be_dropped_inside_one_of_its_own_tasks() {
    within(60, || {
        for procs in [1, 2] {
            let drops = Drops::new();
            let rt = runtime(procs);
            let handle = rt.handle().clone();
            let other = drops.token();
            drop(rt.spawn(async move {
                let _other = other;
                pending::<()>().await;
            }));
            let token = drops.token();
            let (tx, rx) = mpsc::channel();
            let task = handle.spawn(async move {
                let _token = token;
                drop(rt);
                tx.send(()).expect("waited for");
                // The poll goes on; the next suspension is its end.
                pending::<()>().await;
            });
            rx.recv().expect("the drop returns");
            assert!(futures::executor::block_on(task).is_err());
            eventually("both are dropped", || drops.count() == 2);
            eventually("no task is left", || handle.num_tasks() == 0);
        }
    });
}

#[test]
fn a_runtime_may_be_dropped_in_its_own_block_on() {
    within(60, || {
        let rt = runtime(1);
        let handle = rt.handle().clone();
        let task = rt.spawn(pending::<()>());
        let joined = handle.block_on(async move {
            drop(rt);
            task.await
        });
        assert!(joined.expect_err("cancelled").is_cancelled());
    });
}

#[test]
fn a_runtime_may_be_dropped_inside_a_task_of_another() {
    within(60, || {
        let outer = runtime(1);
        for _ in 0..20 {
            let drops = Drops::new();
            let inner = runtime(2);
            let token = drops.token();
            drop(inner.spawn(async move {
                let _token = token;
                pending::<()>().await;
            }));
            let seen = drops.clone();
            let task = outer.spawn(async move {
                drop(inner);
                seen.count()
            });
            assert_eq!(outer.block_on(task).expect("no panic"), 1);
        }
    });
}

#[test]
fn a_runtime_may_be_dropped_under_another_one_that_its_own_task_runs() {
    within(60, || {
        let rt = runtime(1);
        let inner = runtime(1);
        let handle = rt.handle().clone();
        let (tx, rx) = mpsc::channel();
        drop(handle.spawn(async move {
            // This thread is an M of `inner` now, and still polls a task of `rt`.
            inner.block_on(async move { drop(rt) });
            tx.send(()).expect("waited for");
        }));
        rx.recv().expect("the drop returns");
        eventually("no task is left", || handle.num_tasks() == 0);
    });
}

#[test]
fn a_runtime_may_be_kept_by_a_future_of_its_own() {
    within(60, || {
        let rt = runtime(1);
        let handle = rt.handle().clone();
        let task = handle.spawn(async move {
            let _rt = rt;
            pending::<()>().await;
        });
        task.abort();
        assert!(futures::executor::block_on(task).is_err());
        eventually("no task is left", || handle.num_tasks() == 0);
    });
}

#[test]
fn two_runtimes_may_be_dropped_in_either_order() {
    within(60, || {
        for first_goes_first in [true, false] {
            let (first, second) = (runtime(1), runtime(2));
            let (to_first, to_second) = (first.handle().clone(), second.handle().clone());
            // Tasks that wait for each other across the two.
            let a = first.spawn(async move { to_second.spawn(pending::<()>()).await.is_err() });
            let b = second.spawn(async move { to_first.spawn(pending::<()>()).await.is_err() });
            let (one, other) = if first_goes_first {
                (first, second)
            } else {
                (second, first)
            };
            drop(one);
            drop(other);
            assert!(a.is_finished() && b.is_finished());
        }
    });
}

thread_local! {
    static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

#[test]
fn a_runtime_may_be_kept_in_a_thread_local() {
    within(60, || {
        for entered in [true, false] {
            let drops = Drops::new();
            let token = drops.token();
            thread::spawn(move || {
                let rt = runtime(1);
                drop(rt.spawn(async move {
                    let _token = token;
                    sleep(Duration::from_secs(3600)).await;
                }));
                if entered {
                    // What gmp keeps for the thread comes first or last.
                    let _entered = rt.enter();
                    rt.block_on(async {});
                }
                KEPT.set(Some(rt));
            })
            .join()
            .unwrap();
            assert_eq!(drops.count(), 1);
        }
    });
}

#[test]
fn many_block_ons_may_sleep_under_and_after_the_end_of_their_runtime() {
    within(60, || {
        for round in 0..20 {
            let rt = runtime(1);
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let handle = rt.handle().clone();
                    thread::spawn(move || {
                        for _ in 0..5 {
                            handle.block_on(sleep(Duration::from_micros(300)));
                        }
                    })
                })
                .collect();
            thread::sleep(Duration::from_micros(100 * round));
            drop(rt);
            threads.into_iter().for_each(|t| t.join().unwrap());
        }
    });
}

#[test]
fn a_socket_whose_waker_panics_does_not_unwind_out_of_the_end() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker");
        }
    }
    within(60, || {
        let (drops, rt) = (Drops::new(), runtime(1));
        let token = drops.token();
        drop(rt.spawn(async move {
            let _token = token;
            pending::<()>().await;
        }));
        let listener = rt.block_on(gmp::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a listener");
        let waker = Waker::from(Arc::new(Panics));
        let accepted =
            rt.block_on(async { listener.poll_accept(&mut Context::from_waker(&waker)) });
        assert!(accepted.is_pending());
        drop(rt);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_block_on_of_another_thread_survives_the_end_of_its_runtime() {
    within(60, || {
        let rt = runtime(1);
        let handle = rt.handle().clone();
        let (tx, begun) = mpsc::channel();
        let (go, wait) = oneshot::channel::<()>();
        let root = thread::spawn(move || {
            handle.block_on(async move {
                let task = gmp::spawn(pending::<()>());
                let local = gmp::task::spawn_local(pending::<()>());
                tx.send(()).expect("waited for");
                let ends = (task.await.is_err(), local.await.is_err());
                wait.await.expect("sent");
                gmp::task::yield_now().await;
                sleep(Duration::from_millis(1)).await;
                ends
            })
        });
        begun.recv().expect("the root runs");
        drop(rt);
        go.send(()).expect("the root lives");
        assert_eq!(root.join().unwrap(), (true, true));
    });
}
