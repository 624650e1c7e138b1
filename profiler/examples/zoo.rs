//! Tasks to look at.
//!
//! `zoo states [text|groups|json|folded|pprof|svg]` shows one task in each state;
//! `zoo snapshot N` times a snapshot of N parked tasks and says how late a task
//! that wakes every millisecond was meanwhile.

use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt;
use gmp::chan;
use gmp::sync::{Mutex, Notify, RwLock, WaitGroup};
use gmp::task::{JoinHandle, block_in_place};
use gmp_profiler::{Status, TaskInfo, Tasks};

const LONG: Duration = Duration::from_secs(3600);

#[gmp::main(procs = 2)]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["states"] => states("text").await,
        ["states", form] => states(form).await,
        ["snapshot", n] => snapshot(n.parse().expect("a number of tasks")).await,
        _ => panic!("usage: zoo states [text|groups|json|folded|pprof|svg] | zoo snapshot N"),
    }
}

#[track_caller]
fn named(name: &str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    gmp::task::Builder::new().name(name).spawn(task)
}

/// One task in each state, written in the form.
async fn states(form: &str) -> std::io::Result<()> {
    let on = Arc::new(AtomicBool::new(true));
    let mut zoo = waiting().await?;
    zoo.extend(busy(&on));
    let tasks = settled(zoo.len()).await;
    let mut out = std::io::stdout().lock();
    match form {
        "text" => out.write_all(tasks.text().as_bytes())?,
        "groups" => out.write_all(tasks.groups().as_bytes())?,
        "json" => out.write_all(tasks.json().as_bytes())?,
        "folded" => out.write_all(tasks.folded().as_bytes())?,
        "pprof" => out.write_all(&tasks.pprof())?,
        #[cfg(feature = "flamegraph")]
        "svg" => out.write_all(tasks.flame_graph()?.as_bytes())?,
        other => panic!("no form {other}; svg needs the feature flamegraph"),
    }
    on.store(false, Ordering::Relaxed);
    zoo.iter().for_each(JoinHandle::abort);
    Ok(())
}

/// Tasks that wait, each for something else.
async fn waiting() -> std::io::Result<Vec<JoinHandle<()>>> {
    let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    let (full, rx) = chan::bounded(0);
    let (tx, empty) = chan::bounded::<()>(0);
    let mutex = Arc::new(Mutex::new(()));
    let lock = Arc::new(RwLock::new(()));
    let (kept, read) = (
        mutex.clone().lock_owned().await,
        lock.clone().write_owned().await,
    );
    let group = WaitGroup::new();
    group.add(1);
    let inner = gmp::spawn(std::future::pending::<()>());
    let redis = gmp::waiting("redis", std::future::pending()); // the place of the wait
    drop(named("waiting (leaked)", std::future::pending())); // here: waiting (leaked)
    Ok(vec![
        named("sleep", async { gmp::time::sleep(LONG).await }), // here: sleep
        named("IO wait", async move { drop(listener.accept().await) }), // here: IO wait
        named("chan send", async move {
            full.send(()).await.unwrap_or_default()
        }), // here: chan send
        named("chan receive", async move {
            empty.recv().await.unwrap_or_default()
        }), // here: chan receive
        named("sync.Mutex.Lock", async move { drop(mutex.lock().await) }), // here: sync.Mutex.Lock
        named("sync.RWMutex.RLock", async move { drop(lock.read().await) }), // here: sync.RWMutex.RLock
        named("sync.WaitGroup.Wait", async move { group.wait().await }), // here: sync.WaitGroup.Wait
        named("sync.Cond.Wait", async { Notify::new().notified().await }), // here: sync.Cond.Wait
        named("join", async move { inner.await.unwrap_or_default() }),   // here: join
        named("waiting: redis", redis),                                  // here: waiting: redis
        named("keeper", async move {
            // The other ends, without which nobody would wait.
            let _others = (rx, tx, kept, read);
            let mut tick = pin!(gmp::time::sleep(LONG).fuse());
            let mut never = pin!(futures::future::pending::<()>().fuse());
            gmp::select! { () = tick => (), () = never => () }
        }),
    ])
}

/// Tasks that do not wait.
fn busy(on: &Arc<AtomicBool>) -> [JoinHandle<()>; 2] {
    let (until, still) = (on.clone(), on.clone());
    let blocks = move || {
        while until.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    [
        named("syscall", async move { block_in_place(blocks) }),
        named("running", async move {
            // Without a check: one that checks is asked to stop for the snapshot.
            while still.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        }),
    ]
}

/// A snapshot in which at least `n` tasks have got where they wait. A task that
/// was just spawned is runnable: the Ps are busy.
async fn settled(n: usize) -> Tasks {
    loop {
        gmp::time::sleep(Duration::from_millis(20)).await;
        drop(named("runnable", async {}));
        let tasks = gmp_profiler::tasks();
        let moving = |task: &&TaskInfo| task.status == Status::Runnable;
        if tasks.len() >= n && tasks.iter().filter(moving).count() <= 1 {
            return tasks;
        }
    }
}

/// The cost of a snapshot of `n` parked tasks to itself and to others.
async fn snapshot(n: usize) -> std::io::Result<()> {
    let parked: Vec<_> = (0..n)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    let on = Arc::new(AtomicBool::new(true));
    let worst = Arc::new(AtomicU64::new(0));
    let (until, told) = (on.clone(), worst.clone());
    let heartbeat = gmp::spawn(async move {
        let mut last = Instant::now();
        while until.load(Ordering::Relaxed) {
            gmp::time::sleep(Duration::from_millis(1)).await;
            let gap = u64::try_from(last.elapsed().as_micros()).unwrap_or(u64::MAX);
            told.fetch_max(gap, Ordering::Relaxed);
            last = Instant::now();
        }
    });
    gmp::time::sleep(Duration::from_millis(500)).await;
    worst.store(0, Ordering::Relaxed);
    gmp::time::sleep(Duration::from_millis(500)).await;
    let calm = worst.swap(0, Ordering::Relaxed);
    let tasks = gmp_profiler::tasks();
    gmp::time::sleep(Duration::from_millis(20)).await;
    on.store(false, Ordering::Relaxed);
    heartbeat.await.map_err(std::io::Error::other)?;
    println!(
        "{} tasks in {:?}; worst gap of a 1 ms heartbeat: {calm} us before, {} us meanwhile",
        tasks.len(),
        tasks.took(),
        worst.load(Ordering::Relaxed),
    );
    parked.iter().for_each(gmp::task::AbortHandle::abort);
    Ok(())
}
