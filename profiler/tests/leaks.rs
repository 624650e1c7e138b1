//! Checks for leaks: what they find, what they pass over, and what they prove.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};
use gmp::runtime::{Builder, Runtime};
use gmp_profiler::leak::{self, Class, Dropper, Options};
use gmp_profiler::{Profile, WaitReason};

#[path = "support/pprof.rs"]
mod pprof;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Options for a leak that is certain to be there: one look.
fn at_once() -> Options {
    Options::new().retry_for(Duration::ZERO)
}

fn panic_text(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    *payload.downcast::<String>().expect("a text")
}

/// Waits until every task of the runtime waits.
fn settle(rt: &Runtime) -> Profile {
    loop {
        let tasks = Profile::of(rt.handle());
        let waits = |task: &gmp_profiler::TaskInfo| task.status == gmp_profiler::Status::Waiting;
        if tasks.iter().all(waits) {
            // A proof may need a wait that is a tick old: timers move the tick.
            rt.block_on(gmp::time::sleep(Duration::from_millis(2)));
            return Profile::of(rt.handle());
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_check_may_wait_for_as_long_as_it_takes() {
    let rt = runtime(1);
    let (tx, rx) = oneshot::channel::<()>();
    drop(rt.spawn(async {
        let _ended = rx.await;
    }));
    let handle = rt.handle().clone();
    let check = std::thread::spawn(move || {
        let for_ever = Options::new().retry_for(Duration::MAX);
        leak::find_in(&handle, &for_ever).is_ok()
    });
    drop(tx);
    assert!(check.join().expect("no panic"));
}

/// Goleak's first example: two of three senders are left when the first answer
/// is enough.
async fn query_all(size: usize) -> usize {
    let (tx, mut rx) = mpsc::channel(size);
    for at in 0..3 {
        let mut tx = tx.clone();
        drop(gmp::spawn(async move {
            let _kept = tx.send(at).await;
            // As in Go, where the channel outlives its receiver.
            std::future::pending::<()>().await;
        }));
    }
    rx.next().await.expect("an answer")
}

#[test]
fn what_is_left_fails_a_test_in_goleaks_words() {
    let rt = runtime(1);
    rt.block_on(query_all(0));
    settle(&rt);
    let cleaned = Arc::new(AtomicUsize::new(0));
    let count = cleaned.clone();
    let options = at_once().cleanup(move || {
        count.fetch_add(1, SeqCst);
    });
    let text = panic_text(|| {
        let _entered = rt.handle().enter();
        leak::verify_none(&options);
    });
    assert_eq!(cleaned.load(SeqCst), 1);
    assert!(
        text.starts_with("found unexpected goroutines:\n[Goroutine "),
        "{text}"
    );
    assert!(text.contains(" on top of the stack:\ngoroutine "), "{text}");
    assert_eq!(
        text.matches("created by leaks::query_all").count(),
        3,
        "{text}"
    );
    assert!(text.ends_with(']'), "{text}");
}

#[test]
fn tasks_that_end_in_time_are_no_leaks() {
    let rt = runtime(1);
    rt.block_on(async {
        let check = leak::guard(Options::new().retry_for(Duration::from_secs(30)));
        for _ in 0..10 {
            drop(gmp::spawn(gmp::time::sleep(Duration::from_millis(20))));
        }
        check.verify();
    });
    assert_eq!(rt.handle().num_tasks(), 0);
}

/// On one P the check must leave the P to the others while it waits.
#[test]
fn a_check_inside_a_task_lets_the_others_go_on() {
    let rt = runtime(1);
    let done = rt.block_on(async {
        let (tx, rx) = oneshot::channel();
        let checker = gmp::spawn(async move {
            let worker = gmp::spawn(async move {
                for _ in 0..100 {
                    gmp::task::yield_now().await;
                }
                tx.send(7).expect("awaited");
            });
            drop(worker);
            leak::find(&Options::new().retry_for(Duration::from_secs(30))).is_ok()
        });
        let sent = rx.await.expect("sent");
        (sent, checker.await.expect("no panic"))
    });
    assert_eq!(done, (7, true));
}

#[test]
fn a_guard_looks_only_at_what_came_after_it() {
    let rt = runtime(1);
    let old = rt.spawn(std::future::pending::<()>());
    settle(&rt);
    let _entered = rt.handle().enter();
    leak::guard(at_once()).verify();

    let guard = leak::guard(at_once());
    let new = rt.spawn(std::future::pending::<()>());
    settle(&rt);
    let text = panic_text(|| drop(guard));
    assert!(text.contains(&format!("Goroutine {} ", new.id())), "{text}");
    assert!(
        !text.contains(&format!("Goroutine {} ", old.id())),
        "{text}"
    );
}

#[test]
fn a_guard_adds_nothing_to_a_panic() {
    let rt = runtime(1);
    let _entered = rt.handle().enter();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        let _guard = leak::guard(at_once());
        drop(rt.spawn(std::future::pending::<()>()));
        panic!("the test's own");
    }));
    let payload = payload.expect_err("a panic");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the test's own"));
}

async fn helper() {
    std::future::pending::<()>().await;
}

#[test]
fn each_option_passes_over_what_it_names() {
    let rt = runtime(1);
    let _entered = rt.handle().enter();
    let plain = gmp::spawn(helper());
    let spawned_at = format!("leaks.rs:{}", line!() - 1);
    let sleeper = gmp::task::Builder::new()
        .name("sleeper")
        .spawn(async { gmp::time::sleep(Duration::from_secs(3600)).await });
    let sleeps_at = format!("leaks.rs:{}", line!() - 1);
    settle(&rt);

    let (plain, sleeper) = (plain.id().get(), sleeper.id().get());
    let left = |options: Options| -> Vec<u64> {
        match leak::find(&options) {
            Ok(()) => Vec::new(),
            Err(report) => report.leaks().iter().map(|leak| leak.task.id).collect(),
        }
    };
    assert_eq!(left(at_once()), [plain, sleeper]);
    assert_eq!(left(at_once().ignore_top("leaks::helper")), [sleeper]);
    assert_eq!(left(at_once().ignore_top("sleeper")), [plain]);
    assert_eq!(left(at_once().ignore_name("sleeper")), [plain]);
    assert_eq!(left(at_once().ignore_name("sleep")), [plain, sleeper]);
    assert_eq!(left(at_once().ignore_top(&sleeps_at)), [plain]);
    assert_eq!(left(at_once().ignore_created_by(&spawned_at)), [sleeper]);
    assert_eq!(
        left(at_once().ignore_created_by("leaks::helper")),
        [sleeper]
    );
    assert_eq!(
        left(at_once().ignore_created_by("helper")),
        [plain, sleeper]
    );
    assert_eq!(left(at_once().ignore_any(&spawned_at)), [sleeper]);
    assert_eq!(left(at_once().ignore_any("sleeper")), [plain]);
    assert_eq!(left(at_once().ignore_reason(WaitReason::Sleep)), [plain]);
    assert_eq!(left(at_once().ignore_current()), [0; 0]);
}

/// The patience of a check is not spent when there is nothing to wait for, and is
/// when there is.
#[test]
fn patience_is_spent_on_leaks_alone() {
    let rt = runtime(1);
    let _entered = rt.handle().enter();
    let begin = Instant::now();
    leak::verify_none(Options::new().retry_for(Duration::from_secs(3600)));
    drop(rt.spawn(std::future::pending::<()>()));
    let found = leak::find(&Options::new().retry_for(Duration::from_millis(50)));
    assert!(found.is_err());
    assert!(begin.elapsed() >= Duration::from_millis(50));
}

fn class_of(rt: &Runtime, id: gmp::task::Id) -> Class {
    let tasks = settle(rt);
    let task = tasks.iter().find(|task| task.id == id.get());
    Class::of(task.expect("it is there"))
}

/// Rule L-19.
#[test]
fn a_wait_that_nobody_can_end_is_proven() {
    let rt = runtime(1);
    let task = rt.spawn(std::future::pending::<()>());
    let (id, abort) = (task.id(), task.abort_handle());
    assert_eq!(class_of(&rt, id), Class::Abortable);
    drop(task);
    assert_eq!(class_of(&rt, id), Class::Abortable);
    drop(abort);
    assert_eq!(class_of(&rt, id), Class::Unreachable);

    let _entered = rt.handle().enter();
    assert_eq!(leak::proven().len(), 1);
    let text = gmp_profiler::stack_all();
    assert!(text.contains("[waiting (leaked)]:"), "{text}");
    let report = leak::find(&at_once().only_proven()).expect_err("one");
    assert_eq!(report.count(Class::Unreachable), 1);
    assert!(report.to_string().contains("# proven: "), "{report}");
}

/// Of tasks that wait alike, those whose handles are gone.
#[test]
fn proven_leaks_are_a_profile_of_their_own() {
    let rt = runtime(1);
    let _entered = rt.handle().enter();
    let mut tasks: Vec<_> = (0..5)
        .map(|_| rt.spawn(std::future::pending::<()>()))
        .collect();
    tasks.truncate(2);
    let all = settle(&rt);
    let proven = leak::proven();
    assert_eq!((all.len(), proven.len()), (5, 3));
    let of = |tasks: &Profile| -> Vec<(u64, String)> {
        let profile = pprof::read(&tasks.to_pprof());
        assert_eq!((profile.types.len(), &*profile.default), (3, "goroutine"));
        let sample = |sample: &pprof::Sample| {
            let top = &sample.frames[0];
            assert!(top.line > 0 && top.file.ends_with("leaks.rs"));
            (sample.values[0], top.function.clone())
        };
        profile.samples.iter().map(sample).collect()
    };
    let name = "core::future::pending::Pending<()>".to_owned();
    assert_eq!(of(&proven), [(3, name.clone())]);
    assert_eq!(of(&all), [(3, name.clone()), (2, name)]);
    let text = all.to_text(1);
    let (leaked, held) = text.split_once("\n\n").expect("two groups");
    assert!(
        leaked.starts_with("goroutine profile: total 5\n3 @ "),
        "{text}"
    );
    assert!(
        leaked.contains("\n# labels: {\"state\":\"waiting (leaked)\"}\n"),
        "{text}"
    );
    assert!(
        held.contains("\n# labels: {\"state\":\"waiting\"}\n"),
        "{text}"
    );
    assert_eq!(
        proven.to_text(2).matches(" [waiting (leaked)]:\n").count(),
        3
    );
}

#[test]
fn a_wait_that_somebody_can_end_is_not_proven() {
    let rt = runtime(1);
    let _entered = rt.handle().enter();
    let (tx, rx) = oneshot::channel::<()>();
    drop(rt.spawn(rx));
    drop(rt.spawn(gmp::time::sleep(Duration::from_secs(3600))));
    drop(rt.spawn(async {
        let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await;
        drop(listener.expect("a port").accept().await);
    }));
    settle(&rt);
    assert!(leak::proven().is_empty());
    assert!(leak::find(&at_once().only_proven()).is_ok());
    assert_eq!(leak::find(&at_once()).expect_err("three").leaks().len(), 3);
    drop(tx);
}

/// Of two tasks that are left, the report says which one the other waits for.
#[test]
fn a_report_follows_joins() {
    let rt = runtime(1);
    let _entered = rt.handle().enter();
    let stuck = rt.spawn(std::future::pending::<()>());
    let id = stuck.id();
    drop(rt.spawn(stuck));
    settle(&rt);
    let report = leak::find(&at_once()).expect_err("two");
    assert_eq!(report.count(Class::Abortable), 1);
    assert_eq!(report.count(Class::Suspected), 1);
    let text = report.to_string();
    let joins = format!("# waits for the end of goroutine {id}\n");
    assert!(text.contains(&joins), "{text}");
}

/// A future that keeps its waker in a place that somebody else empties.
#[test]
fn the_drop_of_the_last_waker_makes_the_proof() {
    let rt = runtime(1);
    let (tx, rx) = std::sync::mpsc::channel::<Waker>();
    let mut told = false;
    let id = {
        let task = rt.spawn(std::future::poll_fn(move |cx| {
            if !told {
                told = true;
                tx.send(cx.waker().clone()).expect("kept");
            }
            std::task::Poll::<()>::Pending
        }));
        task.id()
    };
    let waker = rx.recv().expect("sent");
    assert_eq!(class_of(&rt, id), Class::Suspected);
    let second = waker.clone();
    drop(waker);
    assert_eq!(class_of(&rt, id), Class::Suspected);
    drop(second);
    assert_eq!(class_of(&rt, id), Class::Unreachable);
}

/// A task that waits for ever once the receiver has dropped its waker.
fn gives_its_waker(rt: &Runtime) -> (gmp::task::Id, std::sync::mpsc::Receiver<Waker>) {
    let (tx, rx) = std::sync::mpsc::channel::<Waker>();
    let task = rt.spawn(std::future::poll_fn(move |cx| {
        tx.send(cx.waker().clone()).unwrap_or_default();
        std::task::Poll::<()>::Pending
    }));
    (task.id(), rx)
}

fn dropper(rt: &Runtime, id: gmp::task::Id) -> Option<Dropper> {
    assert_eq!(class_of(rt, id), Class::Unreachable);
    let _entered = rt.handle().enter();
    let tasks = leak::proven();
    let task = tasks.iter().find(|task| task.id == id.get());
    task.expect("it is proven").dropped_by.as_deref().cloned()
}

#[test]
fn a_proof_names_the_task_that_dropped_the_last_waker() {
    let rt = runtime(1);
    let (id, rx) = gives_its_waker(&rt);
    let waker = rx.recv().expect("sent");
    assert_eq!(class_of(&rt, id), Class::Suspected);
    let waits_at = line!() + 2;
    let culprit = rt.spawn(async move {
        gmp::time::sleep(Duration::from_millis(1)).await;
        let second = waker.clone();
        drop(waker);
        gmp::task::yield_now().await;
        drop(second);
    });
    let culprit_id = culprit.id().get();
    rt.block_on(culprit).expect("no panic");
    let found = dropper(&rt, id);
    if !leak::NAMES_DROPPERS {
        assert_eq!(found, None);
        return;
    }
    let Some(Dropper::Task {
        id: found_id,
        spawned_at,
        waited_at: Some(waited_at),
        ..
    }) = found
    else {
        panic!("{found:?}")
    };
    assert_eq!(found_id, culprit_id);
    assert_eq!(
        (spawned_at.file(), spawned_at.line()),
        (file!(), waits_at - 1)
    );
    assert_eq!((waited_at.file(), waited_at.line()), (file!(), waits_at));

    let _entered = rt.handle().enter();
    let text = leak::find(&at_once()).expect_err("one").to_string();
    let line = format!(
        "# the last waker of goroutine {id} was dropped by goroutine {culprit_id}, created at {0}:{1}, \
         after its wait at {0}:{2}\n",
        file!(),
        waits_at - 1,
        waits_at
    );
    assert!(text.contains(&line), "{text}");
    let mut dump = Vec::new();
    gmp_profiler::dump(&mut dump).expect("written");
    assert!(String::from_utf8_lossy(&dump).contains(&line));
}

#[test]
fn a_proof_names_the_thread_that_dropped_the_last_waker() {
    let rt = runtime(1);
    let (id, rx) = gives_its_waker(&rt);
    let thread = std::thread::Builder::new().name("culprit".to_owned());
    let waker = rx.recv().expect("sent");
    assert_eq!(class_of(&rt, id), Class::Suspected);
    let thread = thread.spawn(move || drop(waker));
    thread.expect("a thread").join().expect("no panic");
    let found = dropper(&rt, id).map(|dropper| dropper.to_string());
    let named = leak::NAMES_DROPPERS.then_some("thread culprit");
    assert_eq!(found.as_deref(), named);
}

/// One that gave no waker away has lost none; nor has one whose waker was used up.
#[test]
fn an_orphan_by_birth_has_no_dropper() {
    let rt = runtime(1);
    let born = rt.spawn(std::future::pending::<()>()).id();
    assert_eq!(dropper(&rt, born), None);
    let (id, rx) = gives_its_waker(&rt);
    for _ in 0..3 {
        rx.recv().expect("sent").wake();
    }
    let last = rx.recv().expect("sent");
    assert_eq!(class_of(&rt, id), Class::Suspected);
    drop(last);
    assert_eq!(dropper(&rt, id).is_some(), leak::NAMES_DROPPERS);
}

/// A local task's thread keeps a handle of its own, which is no way out.
#[test]
fn a_local_task_can_be_proven_too() {
    let rt = runtime(1);
    rt.block_on(async {
        let task = gmp::task::spawn_local(std::future::pending::<()>());
        let id = task.id().get();
        gmp::time::sleep(Duration::from_millis(2)).await;
        let class = || {
            let tasks = gmp_profiler::tasks();
            let task = tasks.iter().find(|task| task.id == id);
            Class::of(task.expect("it is there"))
        };
        assert_eq!(class(), Class::Abortable);
        drop(task);
        assert_eq!(class(), Class::Unreachable);
    });
}

#[test]
fn a_suspended_task_is_not_proven() {
    let rt = runtime(1);
    let _entered = rt.handle().enter();
    let task = rt.spawn(std::future::pending::<()>());
    let id = task.id();
    settle(&rt);
    let held = gmp_profiler::suspend(id, Duration::from_secs(30)).expect("it waits");
    drop(task);
    assert!(leak::proven().is_empty());
    drop(held);
    assert_eq!(leak::proven().len(), 1);
}

#[test]
fn growth_names_the_groups_that_became_more() {
    let rt = runtime(1);
    let sleep = |n: u64| {
        for _ in 0..n {
            drop(rt.spawn(gmp::time::sleep(Duration::from_secs(3600))));
        }
    };
    sleep(2);
    drop(rt.spawn(helper()));
    let older = settle(&rt);
    sleep(3);
    let newer = settle(&rt);
    let grown = leak::growth(&older, &newer);
    assert_eq!(grown.len(), 1, "{grown:?}");
    assert_eq!((grown[0].before, grown[0].now), (2, 5));
    assert_eq!(grown[0].state, "sleep");
    assert!(leak::growth(&newer, &newer).is_empty());
}

/// Tasks whose only waker is always on its way to a foreign thread, which uses it
/// up: at each moment such a task waits with a waker or is about to run.
#[test]
fn tasks_that_foreign_threads_wake_are_never_called_proven() {
    const TASKS: usize = 8;
    const ROUNDS: usize = 3000;
    let rt = runtime(2);
    let (tx, rx) = std::sync::mpsc::channel::<Waker>();
    let foreign = std::thread::spawn(move || rx.into_iter().for_each(Waker::wake));
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let tx = tx.clone();
            rt.spawn(async move {
                for _ in 0..ROUNDS {
                    let mut told = false;
                    let once = std::future::poll_fn(|cx| {
                        if told {
                            return std::task::Poll::Ready(());
                        }
                        told = true;
                        tx.send(cx.waker().clone()).expect("it listens");
                        std::task::Poll::Pending
                    });
                    once.await;
                }
            })
            .abort_handle()
        })
        .collect();
    drop(tx);
    let _entered = rt.handle().enter();
    let mut looks = 0;
    while !tasks.iter().all(gmp::task::AbortHandle::is_finished) {
        let forgotten: Vec<_> = gmp_profiler::tasks()
            .iter()
            .filter(|task| task.forgotten)
            .cloned()
            .collect();
        assert!(forgotten.is_empty(), "{forgotten:?}");
        looks += 1;
    }
    assert!(looks > 0);
    foreign.join().expect("no panic");
}
