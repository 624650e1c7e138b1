//! Tasks to look at.
//!
//! `zoo -- states [text|groups|json|folded|pprof|svg]` shows one task in each
//! state; `zoo -- snapshot N` times a snapshot of N parked tasks and says how
//! late a task that wakes every millisecond was meanwhile.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use gmp_profiler::{Status, Tasks};

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

/// One task in each state, and their tasks in the form.
async fn states(form: &str) -> std::io::Result<()> {
    let on = Arc::new(AtomicBool::new(true));
    let (until, still) = (on.clone(), on.clone());
    let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    let named = |name| gmp::task::Builder::new().name(name);
    let zoo = [
        named("sleeper").spawn(async { gmp::time::sleep(Duration::from_secs(3600)).await }),
        named("accepter").spawn(async move { listener.accept().await.map_or((), drop) }),
        named("redis client").spawn(gmp_profiler::waiting("redis", std::future::pending())),
        named("stranger").spawn(std::future::pending()),
        named("joiner").spawn(async {
            let inner = gmp::spawn(std::future::pending::<()>());
            // Only an abort ends it.
            let _ = inner.await;
        }),
        named("blocker").spawn(async move {
            gmp::task::block_in_place(|| {
                while until.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }),
        named("runner").spawn(async move {
            while still.load(Ordering::Relaxed) {
                gmp::task::safepoint().await;
            }
        }),
    ];
    // Runnable: the Ps are busy with the runner and this task.
    let tasks = settled(zoo.len()).await;
    let mut out = std::io::stdout().lock();
    match form {
        "groups" => out.write_all(tasks.groups().as_bytes())?,
        "json" => out.write_all(tasks.json().as_bytes())?,
        "folded" => out.write_all(tasks.folded().as_bytes())?,
        "pprof" => out.write_all(&tasks.pprof())?,
        #[cfg(feature = "flamegraph")]
        "svg" => out.write_all(tasks.flame_graph()?.as_bytes())?,
        _ => out.write_all(tasks.text().as_bytes())?,
    }
    on.store(false, Ordering::Relaxed);
    zoo.iter().for_each(gmp::task::JoinHandle::abort);
    Ok(())
}

/// A snapshot in which at least `n` tasks have got where they wait.
async fn settled(n: usize) -> Tasks {
    loop {
        gmp::time::sleep(Duration::from_millis(20)).await;
        drop(gmp::spawn(async {}));
        let tasks = gmp_profiler::tasks();
        let moving = |task: &&gmp_profiler::TaskInfo| task.status == Status::Runnable;
        if tasks.len() >= n && tasks.iter().filter(moving).count() <= 1 {
            return tasks;
        }
    }
}

/// The cost of a snapshot of `n` parked tasks to itself and to others.
async fn snapshot(n: usize) -> std::io::Result<()> {
    let mut parked = futures::stream::iter(0..n)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect::<Vec<_>>()
        .await;
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
    let calm = worst.swap(0, Ordering::Relaxed);
    let tasks = gmp_profiler::tasks();
    gmp::time::sleep(Duration::from_millis(20)).await;
    on.store(false, Ordering::Relaxed);
    heartbeat.await.map_err(std::io::Error::other)?;
    println!(
        "{} tasks in {:?}; worst gap of a 1 ms heartbeat: {} us before, {} us meanwhile",
        tasks.len(),
        tasks.took(),
        calm,
        worst.load(Ordering::Relaxed),
    );
    parked.drain(..).for_each(|task| task.abort());
    Ok(())
}
