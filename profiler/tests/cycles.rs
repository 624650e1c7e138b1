//! Circles of tasks that wait for each other: which are found, how they are told,
//! and that nothing else is taken for one.

use std::future::{Future, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::channel::oneshot;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use gmp::chan;
use gmp::runtime::{Builder, Runtime};
use gmp::sync::{Mutex, RwLock, Semaphore};
use gmp::task::{AbortHandle, JoinHandle};
use gmp_profiler::leak::{self, Class, Cycle, Options};
use gmp_profiler::{Profile, Status};

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// The circles, when every task waits.
fn cycles(rt: &Runtime) -> Vec<Cycle> {
    let waits = |task: &gmp_profiler::TaskInfo| task.status == Status::Waiting;
    while !Profile::of(rt.handle()).iter().all(waits) {
        std::thread::yield_now();
    }
    let _entered = rt.handle().enter();
    leak::cycles()
}

fn ids(cycle: &Cycle) -> Vec<u64> {
    cycle.links().iter().map(|link| link.id).collect()
}

/// Task n locks mutex n, and then the next one, when all have got so far.
fn philosophers(rt: &Runtime, n: usize) -> Vec<AbortHandle> {
    let forks: Vec<_> = (0..n).map(|_| Arc::new(Mutex::new(()))).collect();
    let all = Arc::new(gmp::sync::Barrier::new(n));
    (0..n)
        .map(|at| {
            let (left, right) = (forks[at].clone(), forks[(at + 1) % n].clone());
            let all = all.clone();
            let eats = async move {
                let _left = left.lock().await; // here: left
                all.wait().await;
                let _right = right.lock().await; // here: right
            };
            rt.spawn(eats).abort_handle()
        })
        .collect()
}

/// The text of a circle of two that wait alike: for what, and since when.
fn two(kind: &str, [a, b]: [u64; 2], what: &str, since: &str) -> String {
    let link = |id: u64, next: u64| {
        format!("#\tgoroutine {id} waits for {what} by goroutine {next}{since}\n")
    };
    let links = link(a, b) + &link(b, a);
    format!("# {kind}: 2 goroutines wait for each other\n{links}")
}

/// The report on tasks that are left, which ends with this text; a dump has it, too.
fn reported(rt: &Runtime, text: &str) -> leak::Report {
    let _entered = rt.handle().enter();
    let options = Options::new().retry_for(Duration::ZERO);
    let report = leak::find(&options).expect_err("some are left");
    assert!(
        report.to_string().ends_with(&format!("{text}]")),
        "{report}"
    );
    let mut dump = Vec::new();
    gmp_profiler::dump(&mut dump).expect("written");
    let dump = String::from_utf8(dump).expect("text");
    assert!(dump.contains(&format!("\n\n{text}")), "{dump}");
    report
}

fn line_of(mark: &str) -> usize {
    let lines = include_str!("cycles.rs").lines();
    let marked = |line: &str| line.ends_with(&format!("// here: {mark}"));
    1 + lines.into_iter().position(marked).expect("a mark")
}

#[test]
fn locks_taken_in_opposite_orders_are_a_circle_that_is_told() {
    let rt = runtime(2);
    let tasks = philosophers(&rt, 2);
    let found = cycles(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    let mut expected: Vec<u64> = tasks.iter().map(|task| task.id().get()).collect();
    expected.sort_unstable();
    assert_eq!(ids(&found[0]), expected);

    let (left, right) = (line_of("left"), line_of("right"));
    let (file, pair) = (file!(), [expected[0], expected[1]]);
    let what = format!("sync.Mutex.Lock at {file}:{right}, held");
    let text = two("cycle", pair, &what, &format!(" since {file}:{left}"));
    assert_eq!(found[0].to_string(), text);

    let report = reported(&rt, &text);
    assert_eq!(report.count(Class::Cycle), 2);
    assert_eq!(report.cycles(), found);

    // An abort ends it.
    tasks[0].abort();
    let _entered = rt.handle().enter();
    assert!(leak::find(&Options::new()).is_ok());
}

#[test]
fn three_tasks_are_a_circle_as_well_and_one_behind_it_is_not() {
    let rt = runtime(2);
    let tasks = philosophers(&rt, 3);
    let last = tasks[2].id().get();
    assert_eq!(cycles(&rt).len(), 1);
    // It waits for a task of the circle, and nobody waits for it.
    let lock = Arc::new(Mutex::new(()));
    let (tx, rx) = oneshot::channel::<JoinHandle<()>>();
    let behind = rt.spawn(async move {
        let _kept = lock.lock().await;
        drop(rx.await.expect("sent").await);
    });
    let stuck = rt.spawn(std::future::pending::<()>());
    tx.send(stuck).unwrap_or_default();
    let found = cycles(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].links().len(), 3);
    assert!(found[0].contains(last) && !found[0].contains(behind.id().get()));
}

#[test]
fn tasks_that_join_each_other_are_a_circle() {
    let rt = runtime(1);
    let ((tx_a, rx_a), (tx_b, rx_b)) = (oneshot::channel(), oneshot::channel());
    let joins = |rx: oneshot::Receiver<JoinHandle<()>>| async move {
        drop(rx.await.expect("sent").await);
    };
    let (a, b) = (rt.spawn(joins(rx_a)), rt.spawn(joins(rx_b)));
    let expected = [a.id().get(), b.id().get()];
    tx_a.send(b).unwrap_or_default();
    tx_b.send(a).unwrap_or_default();
    let found = cycles(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(ids(&found[0]), expected);
    let text = found[0].to_string();
    let first = format!("#\tgoroutine {} waits for join at {}", expected[0], file!());
    let end = format!(" of goroutine {}\n", expected[1]);
    assert!(text.contains(&first) && text.contains(&end), "{text}");
}

#[test]
fn a_lock_and_a_join_are_a_circle() {
    let rt = runtime(1);
    let lock = Arc::new(Mutex::new(()));
    let inner = lock.clone();
    let (tx, rx) = oneshot::channel::<JoinHandle<()>>();
    let (locked, is_locked) = oneshot::channel();
    let stops = rt.spawn(async move {
        let _kept = lock.lock().await;
        locked.send(()).unwrap_or_default();
        drop(rx.await.expect("sent").await);
    });
    rt.block_on(is_locked).expect("sent");
    let worker = rt.spawn(async move { drop(inner.lock().await) });
    let expected = [stops.id().get(), worker.id().get()];
    // Only a worker that waits already is sure to wait in vain.
    assert!(cycles(&rt).is_empty());
    tx.send(worker).unwrap_or_default();
    let found = cycles(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(ids(&found[0]), expected);
}

/// Tells `story` and returns the circles.
fn told(story: impl Future<Output = ()> + Send + 'static) -> Vec<Cycle> {
    let rt = runtime(1);
    drop(rt.spawn(story));
    cycles(&rt)
}

#[test]
fn who_locks_again_what_it_holds_waits_for_itself() {
    let found = told(async {
        let lock = Mutex::new(());
        let _first = lock.lock().await;
        let _again = lock.lock().await;
    });
    assert_eq!(found.len(), 1);
    let text = found[0].to_string();
    assert!(
        text.starts_with("# cycle: a goroutine waits for itself\n"),
        "{text}"
    );
}

#[test]
fn who_writes_what_it_reads_waits_for_itself() {
    let found = told(async {
        let lock = RwLock::new(());
        let _reads = lock.read().await;
        let _writes = lock.write().await;
    });
    assert_eq!(found.len(), 1);
    let found = told(async {
        let lock = RwLock::new(());
        let writes = lock.write().await;
        let _reads = gmp::sync::RwLockWriteGuard::downgrade(writes);
        let _writes = lock.write().await;
    });
    assert_eq!(found.len(), 1);
    let found = told(async {
        let lock = RwLock::new(());
        let _reads = (lock.read().await, lock.read().await);
        let _writes = lock.write().await;
    });
    assert_eq!(found.len(), 1);
    // When one of two readers has left, there is no telling which.
    let found = told(async {
        let lock = RwLock::new(());
        let (first, _second) = (lock.read().await, lock.read().await);
        drop(first);
        let _writes = lock.write().await;
    });
    assert!(found.is_empty(), "{found:?}");
}

/// A wait that something else can end as well is no edge.
#[test]
fn a_wait_with_a_way_out_is_no_circle() {
    let found = told(async {
        let lock = Mutex::new(());
        let _first = lock.lock().await;
        let again = gmp::time::timeout(Duration::from_secs(3600), lock.lock());
        drop(again.await);
    });
    assert!(found.is_empty(), "{found:?}");
    // The lock was tried, given up, and the wait is for something else.
    let (tx, rx) = oneshot::channel::<()>();
    let found = told(async move {
        let lock = Mutex::new(());
        let _first = lock.lock().await;
        assert!(lock.lock().now_or_never().is_none());
        let mut again = Box::pin(lock.lock());
        let gives_up = std::future::poll_fn(|cx| {
            assert!(again.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        });
        gives_up.await;
        drop(again);
        rx.await.unwrap_or_default();
    });
    assert!(found.is_empty(), "{found:?}");
    drop(tx);
}

/// A lock and a join among several futures with one waker: any of them may end the
/// wait.
#[test]
fn a_wait_beside_others_behind_one_waker_is_no_circle() {
    let rt = runtime(1);
    let (stay, stayed) = oneshot::channel::<()>();
    let (go, gone) = oneshot::channel::<()>();
    drop(rt.spawn(async move {
        let lock = Mutex::new(());
        let _first = lock.lock().await;
        let any = FuturesUnordered::new();
        any.push(stayed.map(drop).boxed());
        // Alone in its poll, which would else end with one more.
        any.push(gone.then(|_| lock.lock()).map(drop).boxed());
        any.for_each(|()| ready(())).await;
    }));
    assert!(cycles(&rt).is_empty());
    go.send(()).expect("it waits");
    let found = cycles(&rt);
    assert!(found.is_empty(), "{found:?}");
    drop(stay);

    let (stay, stayed) = oneshot::channel::<()>();
    let (tx, rx) = oneshot::channel::<JoinHandle<()>>();
    let first = rt.spawn(async move {
        let any = FuturesUnordered::new();
        any.push(stayed.map(drop).boxed());
        let second = rx.then(|task| task.expect("sent"));
        any.push(second.map(drop).boxed());
        any.for_each(|()| ready(())).await;
    });
    let abort = first.abort_handle();
    let second = rt.spawn(async move { drop(first.await) });
    assert!(cycles(&rt).is_empty());
    tx.send(second).unwrap_or_default();
    let found = cycles(&rt);
    assert!(found.is_empty(), "{found:?}");
    drop(stay);
    abort.abort();
}

/// Ids are unique in one runtime: a task of another one may have the same.
#[test]
fn a_join_across_runtimes_is_no_circle() {
    let (here, there) = (runtime(1), runtime(1));
    let joined = || async { std::future::pending::<()>().await };
    let foreign = loop {
        let task = there.spawn(joined());
        if task.id().get() > 100 {
            break task;
        }
        task.abort();
    };
    let id = foreign.id();
    let first = here.spawn(async move { drop(foreign.await) });
    let mut first = Some(first);
    while let Some(task) = first.take() {
        let (tx, rx) = oneshot::channel::<JoinHandle<()>>();
        let second = here.spawn(async move {
            if let Ok(task) = rx.await {
                drop(task.await);
            }
        });
        if second.id() == id {
            tx.send(task).unwrap_or_default();
            let found = cycles(&here);
            assert!(found.is_empty(), "{found:?}");
        } else {
            assert!(second.id() < id, "the number was passed over");
            first = Some(task);
        }
    }
}

/// The same for a join that is given up in the poll in which it was tried.
#[test]
fn a_join_that_was_given_up_is_no_circle() {
    let rt = runtime(1);
    let (tx, rx) = oneshot::channel::<JoinHandle<()>>();
    let (keep, kept) = oneshot::channel::<()>();
    let task = rt.spawn(async move {
        let mut own = rx.await.expect("sent");
        std::future::poll_fn(|cx| {
            assert!(own.poll_unpin(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(own);
        kept.await.unwrap_or_default();
    });
    let abort = task.abort_handle();
    tx.send(task).unwrap_or_default();
    let found = cycles(&rt);
    assert!(found.is_empty(), "{found:?}");
    drop(keep);
    abort.abort();
}

/// The circles in which somebody else might end a wait, when every task waits.
fn suspected(rt: &Runtime) -> Vec<Cycle> {
    let proven = cycles(rt);
    assert!(proven.is_empty(), "{proven:?}");
    let _entered = rt.handle().enter();
    leak::suspected_cycles()
}

/// Two tasks that have talked to each other, and wait for each other's next word.
#[test]
fn tasks_that_wait_for_each_others_values_are_a_suspicion() {
    leak::watch_channels(true);
    let rt = runtime(1);
    let (to_a, from_b) = chan::bounded::<u32>(1);
    let (to_b, from_a) = chan::bounded::<u32>(1);
    let talks = |tx: chan::Sender<u32>, rx: chan::Receiver<u32>| async move {
        tx.send(1).await.expect("open");
        while rx.recv().await.is_ok() {} // here: receives
        drop(tx);
    };
    let (a, b) = (rt.spawn(talks(to_b, from_b)), rt.spawn(talks(to_a, from_a)));
    let found = suspected(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].is_proven());
    let pair = [a.id().get(), b.id().get()];
    assert_eq!(ids(&found[0]), pair);
    let place = format!("{}:{}", file!(), line_of("receives"));
    let what = format!("chan receive at {place}, last sent to");
    let text = two("suspected cycle", pair, &what, "");
    assert_eq!(found[0].to_string(), text);

    // A report tells it and proves nothing by it.
    let report = reported(&rt, &text);
    assert_eq!(report.count(Class::Suspected), 2);
    assert!(report.cycles().is_empty());
    assert_eq!(report.suspected_cycles(), found);
    let _entered = rt.handle().enter();
    let options = Options::new().retry_for(Duration::ZERO);
    assert!(leak::find(&options.only_proven()).is_ok());
}

/// Each sends to the other, whose buffer is full, and would receive afterwards.
#[test]
fn full_channels_in_a_circle_are_a_suspicion() {
    leak::watch_channels(true);
    let rt = runtime(1);
    let (to_a, from_b) = chan::bounded::<u32>(1);
    let (to_b, from_a) = chan::bounded::<u32>(1);
    let both = Arc::new(gmp::sync::Barrier::new(2));
    let talks = |tx: chan::Sender<u32>, rx: chan::Receiver<u32>, reserves: bool| {
        let both = both.clone();
        async move {
            assert!(rx.try_recv().is_err());
            both.wait().await;
            tx.send(1).await.expect("open");
            if reserves {
                drop(tx.reserve().await);
            } else {
                tx.send(2).await.expect("open");
            }
            rx.recv().await.expect("open");
        }
    };
    let a = rt.spawn(talks(to_b, from_b, false));
    let b = rt.spawn(talks(to_a, from_a, true));
    let found = suspected(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(ids(&found[0]), [a.id().get(), b.id().get()]);
    assert!(
        found[0]
            .to_string()
            .contains(", last received from by goroutine ")
    );
}

/// A lock on one side: the circle is as certain as its least certain edge.
#[test]
fn a_lock_and_a_channel_are_a_suspicion() {
    leak::watch_channels(true);
    let rt = runtime(1);
    let lock = Arc::new(Mutex::new(()));
    let (tx, rx) = chan::bounded::<u32>(0);
    let inner = lock.clone();
    let both = Arc::new(gmp::sync::Barrier::new(2));
    let met = both.clone();
    let receives = rt.spawn(async move {
        assert!(rx.try_recv().is_err());
        met.wait().await;
        let _lock = inner.lock().await;
        rx.recv().await.expect("open");
    });
    let sends = rt.spawn(async move {
        let _lock = lock.lock().await;
        both.wait().await;
        tx.send(7).await.expect("open");
    });
    let found = suspected(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(ids(&found[0]), [receives.id().get(), sends.id().get()]);
    let proven: Vec<bool> = found[0].links().iter().map(|link| link.proven).collect();
    assert_eq!(proven, [true, false]);
}

/// Permits may be added by anybody, and an owned guard may be anybody's, as may one that
/// was not awaited.
#[test]
fn semaphores_and_guards_of_unknown_ways_are_a_suspicion() {
    leak::watch_channels(true);
    let rt = runtime(1);
    drop(rt.spawn(async {
        let permits = Semaphore::new(1);
        let _first = permits.acquire().await.expect("open");
        drop(permits.acquire().await);
    }));
    let found = suspected(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]
            .to_string()
            .contains(", last acquired by goroutine ")
    );

    let rt = runtime(1);
    drop(rt.spawn(async {
        let lock = Arc::new(Mutex::new(()));
        let _first = lock.clone().lock_owned().await; // here: owned
        drop(lock.lock().await);
    }));
    let found = suspected(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    let taken = format!("{}:{}\n", file!(), line_of("owned"));
    assert!(found[0].to_string().ends_with(&taken), "{}", found[0]);

    let rt = runtime(1);
    drop(rt.spawn(async {
        let lock = Mutex::new(());
        let _first = lock.try_lock().expect("free");
        drop(lock.lock().await);
    }));
    let found = suspected(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
}

/// Whoever used the other half last does something else, or has ended.
#[test]
fn a_wait_for_somebody_who_goes_on_is_no_suspicion() {
    leak::watch_channels(true);
    let rt = runtime(1);
    let (tx, rx) = chan::bounded::<u32>(1);
    let other = tx.clone();
    drop(rt.spawn(async move {
        tx.send(1).await.expect("open");
        gmp::time::sleep(Duration::from_secs(3600)).await;
        drop(tx);
    }));
    drop(rt.spawn(async move { while rx.recv().await.is_ok() {} }));
    let found = suspected(&rt);
    assert!(found.is_empty(), "{found:?}");
    // The last one to send has ended, and one that gave its wait up waits elsewhere.
    let (lone, never) = chan::bounded::<u32>(1);
    drop(rt.spawn(async move { other.send(2).await.expect("open") }));
    drop(rt.spawn(async move {
        lone.send(1).await.expect("room");
        assert!(lone.send(2).now_or_never().is_none());
        assert_eq!(never.recv().await, Ok(1));
        assert!(never.recv().now_or_never().is_none());
        std::future::poll_fn(|cx| {
            // In the poll in which it waits.
            assert!(never.recv().poll_unpin(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        gmp::time::sleep(Duration::from_secs(3600)).await;
    }));
    let found = suspected(&rt);
    assert!(found.is_empty(), "{found:?}");
}

/// Two readers that both want to write: the first is there until one leaves.
#[test]
fn readers_that_both_want_to_write_are_a_circle() {
    let rt = runtime(1);
    let lock = Arc::new(RwLock::new(()));
    let both = Arc::new(gmp::sync::Barrier::new(2));
    for _ in 0..2 {
        let (lock, both) = (lock.clone(), both.clone());
        drop(rt.spawn(async move {
            let _reads = lock.read().await;
            both.wait().await;
            drop(lock.write().await);
        }));
    }
    let found = cycles(&rt);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].is_proven());
}

/// A reader behind a writer that may give up: nothing is certain.
#[test]
fn a_reader_behind_a_writer_with_a_time_limit_is_no_circle() {
    let rt = runtime(1);
    let lock = Arc::new(RwLock::new(()));
    let writes = lock.clone();
    let (go, gone) = oneshot::channel::<()>();
    drop(rt.spawn(async move {
        let _reads = lock.read().await;
        gone.await.expect("sent");
        drop(lock.read().await);
    }));
    assert!(cycles(&rt).is_empty());
    drop(rt.spawn(async move {
        drop(gmp::time::timeout(Duration::from_secs(3600), writes.write()).await);
    }));
    assert!(cycles(&rt).is_empty());
    go.send(()).expect("it waits");
    let found = cycles(&rt);
    assert!(found.is_empty(), "{found:?}");
}

/// Tasks that take four locks in order, always two at a time, and join each other:
/// at each moment chains of waits stand, and never a circle.
#[test]
fn churn_makes_no_circle() {
    const TASKS: usize = 8;
    const ROUNDS: usize = 20_000;
    let rt = runtime(2);
    let _entered = rt.handle().enter();
    let locks: Arc<Vec<_>> = Arc::new((0..4).map(|_| Mutex::new(0_u64)).collect());
    let rounds = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (locks, rounds) = (locks.clone(), rounds.clone());
            rt.spawn(async move {
                let mut at = task;
                while rounds.fetch_add(1, Ordering::Relaxed) < ROUNDS {
                    at = (at * 5 + 3) % 6;
                    let (low, high) = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)][at];
                    let mut first = locks[low].lock().await;
                    gmp::task::yield_now().await;
                    let mut second = locks[high].lock().await;
                    *first += 1;
                    *second += 1;
                    gmp::task::yield_now().await;
                    drop((first, second));
                    gmp::spawn(async {}).await.expect("no panic");
                }
            })
        })
        .collect();
    let mut looks = 0;
    while rounds.load(Ordering::Relaxed) < ROUNDS {
        let found = leak::cycles();
        assert!(found.is_empty(), "{found:?}");
        looks += 1;
    }
    assert!(looks > 0);
    for task in tasks {
        rt.block_on(task).expect("no panic");
    }
    let total = locks.iter().map(|lock| *lock.try_lock().expect("free"));
    assert_eq!(total.sum::<u64>(), 2 * ROUNDS as u64);
}
