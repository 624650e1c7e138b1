//! `JoinSet`.

use super::*;

#[test]
fn a_set_gives_results_in_the_order_of_their_ends() {
    within(60, || {
        runtime(2).block_on(async {
            let mut set = JoinSet::new();
            let mut goes = Vec::new();
            for n in 0..10 {
                let (go, wait) = oneshot::channel::<()>();
                goes.push(go);
                set.spawn(async move {
                    wait.await.expect("sent");
                    n
                });
            }
            assert_eq!(set.len(), 10);
            assert!(set.join_next().now_or_never().is_none(), "none has ended");
            assert!(set.try_join_next().is_none());
            for (n, go) in goes.into_iter().enumerate().rev() {
                go.send(()).expect("the task waits");
                let joined = set.join_next().await.expect("not empty");
                assert_eq!(joined.expect("no panic"), n);
            }
            assert!(set.is_empty());
            assert!(set.join_next().await.is_none());
            assert!(set.try_join_next().is_none());
        });
    });
}

#[test]
fn join_next_may_be_given_up_at_any_time_without_losing_a_result() {
    within(60, || {
        runtime(2).block_on(async {
            let mut set: JoinSet<u64> = (0..500)
                .map(|n| async move {
                    sleep(Duration::from_micros(n % 17 * 30)).await;
                    n
                })
                .collect();
            let mut sum = 0;
            let mut given_up = 0;
            while !set.is_empty() {
                // Polled once and dropped, or awaited for a moment.
                if let Some(joined) = set.join_next().now_or_never() {
                    sum += joined.expect("not empty").expect("no panic");
                    continue;
                }
                let soon = gmp::time::timeout(Duration::from_micros(20), set.join_next());
                match soon.await {
                    Ok(joined) => sum += joined.expect("not empty").expect("no panic"),
                    Err(_) => given_up += 1,
                }
            }
            assert_eq!(sum, 499 * 500 / 2, "given up {given_up} times");
        });
    });
}

#[test]
fn a_set_gives_the_ids_of_its_tasks() {
    within(60, || {
        runtime(1).block_on(async {
            let mut set = JoinSet::new();
            let ids: HashSet<Id> = (0..10)
                .map(|_| set.spawn(async { task::id() }).id())
                .collect();
            assert_eq!(ids.len(), 10);
            let panics = set.spawn(async { panic!("one of them") }).id();
            let mut seen = HashSet::new();
            while let Some(joined) = set.join_next_with_id().await {
                match joined {
                    Ok((id, inside)) => {
                        assert_eq!(id, inside);
                        seen.insert(id);
                    }
                    Err(error) => assert_eq!(error.id(), panics),
                }
            }
            assert_eq!(seen, ids);
        });
    });
}

#[test]
fn a_set_takes_tasks_of_every_kind_and_of_other_runtimes() {
    within(60, || {
        let other = runtime(1);
        let handle = other.handle().clone();
        runtime(1).block_on(async {
            let mut set = JoinSet::new();
            set.spawn(async { 1 });
            set.spawn_local(async { 2 });
            set.spawn_blocking(|| 4);
            set.spawn_on(async { 8 }, &handle);
            assert_eq!(set.join_all().await.into_iter().sum::<i32>(), 15);
        });
    });
}

#[test]
fn try_join_next_takes_what_has_ended() {
    within(60, || {
        let rt = runtime(1);
        rt.block_on(async {
            let mut set = JoinSet::new();
            let first = set.spawn(async { 1 });
            set.spawn(pending());
            while !first.is_finished() {
                task::yield_now().await;
            }
            let joined = set.try_join_next().expect("one has ended");
            assert_eq!(joined.expect("no panic"), 1);
            assert!(set.try_join_next().is_none());
            // The look with no waker does not keep join_next from being woken.
            let (go, wait) = oneshot::channel();
            set.spawn(async move { wait.await.expect("sent") });
            assert!(set.try_join_next().is_none());
            let both = futures::future::join(set.join_next(), async {
                task::yield_now().await;
                go.send(2).expect("the task waits");
            });
            let joined = both.await.0.expect("not empty");
            assert_eq!(joined.expect("no panic"), 2);
        });
    });
}

#[test]
fn abort_all_leaves_results_to_be_joined() {
    within(60, || {
        runtime(2).block_on(async {
            let mut set = JoinSet::new();
            let ended = set.spawn(async { 1 });
            for _ in 0..10 {
                set.spawn(pending());
            }
            while !ended.is_finished() {
                task::yield_now().await;
            }
            set.abort_all();
            assert_eq!(set.len(), 11);
            let (mut values, mut cancelled) = (0, 0);
            while let Some(joined) = set.join_next().await {
                match joined {
                    Ok(value) => values += value,
                    Err(error) => {
                        assert!(error.is_cancelled());
                        cancelled += 1;
                    }
                }
            }
            assert_eq!((values, cancelled), (1, 10));
        });
    });
}

#[test]
fn shutdown_of_a_set_waits_until_its_futures_are_dropped() {
    within(60, || {
        runtime(2).block_on(async {
            let drops = Drops::new();
            let mut set = JoinSet::new();
            for _ in 0..50 {
                let token = drops.token();
                set.spawn(async move {
                    let _token = token;
                    pending::<()>().await;
                });
            }
            set.shutdown().await;
            assert_eq!(drops.count(), 50);
            assert!(set.is_empty());
            set.spawn(async {});
            assert!(set.join_next().await.expect("usable again").is_ok());
        });
    });
}

#[test]
fn a_dropped_set_aborts_and_a_detached_one_does_not() {
    within(60, || {
        let rt = runtime(2);
        let drops = Drops::new();
        let ran = Arc::new(AtomicUsize::new(0));
        let mut goes = Vec::new();
        let mut fill = |set: &mut JoinSet<()>| {
            for _ in 0..20 {
                let (go, wait) = oneshot::channel::<()>();
                goes.push(go);
                let (token, ran) = (drops.token(), ran.clone());
                set.spawn_on(
                    async move {
                        let _token = token;
                        wait.await.expect("sent");
                        ran.fetch_add(1, Ordering::SeqCst);
                    },
                    rt.handle(),
                );
            }
        };
        let mut aborted = JoinSet::new();
        fill(&mut aborted);
        let mut detached = JoinSet::new();
        fill(&mut detached);
        drop(aborted);
        eventually("the dropped set's tasks end", || drops.count() == 20);
        detached.detach_all();
        assert!(detached.is_empty());
        drop(detached);
        for go in goes {
            // The first twenty are gone.
            let _ = go.send(());
        }
        eventually("the detached tasks end", || drops.count() == 40);
        assert_eq!(ran.load(Ordering::SeqCst), 20);
    });
}

#[test]
fn a_set_is_collected_and_polled_by_hand() {
    within(60, || {
        runtime(1).block_on(async {
            let mut set: JoinSet<usize> = (0..5).map(|n| async move { n }).collect();
            assert_eq!(set.len(), 5);
            assert!(format!("{set:?}").contains('5'));
            let mut sum = 0;
            let next = poll_fn(|cx| set.poll_join_next(cx));
            sum += next.await.expect("not empty").expect("no panic");
            let next = poll_fn(|cx| set.poll_join_next_with_id(cx));
            sum += next.await.expect("not empty").expect("no panic").1;
            while let Some(joined) = set.join_next().await {
                sum += joined.expect("no panic");
            }
            assert_eq!(sum, 10);
            let mut empty = JoinSet::<()>::default();
            let polled = empty.poll_join_next(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(None)));
        });
    });
}

#[test]
fn join_all_panics_when_a_task_was_cancelled() {
    within(60, || {
        let rt = runtime(1);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            rt.block_on(async {
                let mut set = JoinSet::new();
                set.spawn(pending::<()>()).abort();
                set.join_all().await
            })
        }));
        let panic = caught.expect_err("cancelled");
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.contains("cancelled"), "{text}");
    });
}

#[test]
fn a_set_moves_between_tasks_while_its_tasks_end() {
    within(60, || {
        runtime(2).block_on(async {
            let mut set: JoinSet<u32> = (0..300)
                .map(|n| async move {
                    for _ in 0..n % 7 {
                        task::yield_now().await;
                    }
                    1
                })
                .collect();
            let mut sum = 0;
            while !set.is_empty() {
                let hop = gmp::spawn(async move {
                    let joined = set.join_next().await.expect("not empty");
                    (set, joined.expect("no panic"))
                });
                let (back, value) = hop.await.expect("no panic");
                set = back;
                sum += value;
            }
            assert_eq!(sum, 300);
        });
    });
}

#[test]
fn closures_and_named_tasks_join_too() {
    let rt = Builder::new().procs(1).build().expect("a runtime");
    let mut set = JoinSet::new();
    set.spawn_blocking_on(|| 1, rt.handle());
    set.spawn_with(task::Builder::new().name("two"), async { 2 });
    gmp::block_on(async {
        let mut got = Vec::new();
        while let Some(joined) = set.join_next_with_id().await {
            got.push(joined.expect("no panic").1);
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        assert!(set.try_join_next_with_id().is_none());
    });
    let at = rt.spawn_blocking(|| gmp::runtime::Handle::current().procs());
    assert_eq!(rt.block_on(at).expect("no panic"), 1);
}

/// Ids are unique in one runtime only; a set may hold tasks of many.
#[test]
fn tasks_of_two_runtimes_with_one_id_are_both_joined() {
    within(60, || {
        let both = [runtime(1), runtime(1)];
        let mut set = JoinSet::new();
        let ids = both
            .iter()
            .map(|rt| set.spawn_on(async {}, rt.handle()).id());
        let ids: Vec<_> = ids.collect();
        assert_eq!(ids[0], ids[1], "the first task of each");
        assert_eq!(set.len(), 2);
        both[0].block_on(async {
            while let Some(joined) = set.join_next_with_id().await {
                assert_eq!(joined.expect("no panic").0, ids[0]);
            }
        });
        assert!(set.is_empty());
    });
}
