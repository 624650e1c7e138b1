//! What the scheduler does, in numbers.
//!
//! `cargo run --release --example scheduler_trace`, and once more with
//! `GMP_DEBUG=schedtrace=100` in the environment: then a line in Go's format goes
//! to standard error every 100 ms. `GMP_DEBUG=schedtrace=100,scheddetail=1` adds a
//! line for each P and each M.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use gmp::task::JoinSet;

#[gmp::main(procs = 2, thread_name = "trace")]
async fn main() {
    if std::env::var_os("GMP_DEBUG").is_none() {
        println!("run me with GMP_DEBUG=schedtrace=100 to see the scheduler at work\n");
    }
    let mut tasks = JoinSet::new();
    // A tree of tasks: each spawn goes to the spawner's P, and the other P steals.
    tasks.spawn(grow(12));
    // Two that compute: asked after their time slice, they give way.
    for _ in 0..2 {
        tasks.spawn(compute(Duration::from_millis(300)));
    }
    // One that blocks its thread; it has not said so, and its P goes on without it.
    tasks.spawn(async {
        std::thread::sleep(Duration::from_millis(300));
        1
    });
    // Sleepers, on the timer heaps of both.
    for ms in 0..100 {
        tasks.spawn(async move {
            gmp::time::sleep(Duration::from_millis(ms)).await;
            1
        });
    }
    let total: u64 = tasks.join_all().await.into_iter().sum();
    println!("{total} units of work\n");

    let metrics = gmp::runtime::Handle::current().metrics();
    for (id, p) in metrics.procs.iter().enumerate() {
        println!(
            "P{id}: {} polls in {} slices, {} searches that stole {} tasks in {} grabs, \
             {} timers fired, {} takes from the global queue",
            p.polls, p.ticks, p.spins, p.stolen, p.steals, p.timers_fired, p.global_takes,
        );
    }
    println!(
        "tasks: {} spawned, {} finished; threads: {}, {} of them idle",
        metrics.spawned, metrics.finished, metrics.threads, metrics.idle_threads,
    );
    println!(
        "{} tasks gave way when asked, {} Ps were taken out of long polls",
        metrics.preemptions, metrics.handoffs,
    );
}

/// A binary tree of tasks; returns its leaves.
fn grow(depth: u32) -> BoxFuture<'static, u64> {
    Box::pin(async move {
        if depth == 0 {
            return 1;
        }
        let left = gmp::spawn(grow(depth - 1));
        let right = grow(depth - 1).await;
        left.await.expect("no panic") + right
    })
}

/// Computes for about `time`, with a place at which it may be asked to give way.
async fn compute(time: Duration) -> u64 {
    let start = Instant::now();
    let mut rounds = 0_u64;
    while start.elapsed() < time {
        rounds = rounds.wrapping_add(1);
        gmp::task::safepoint().await;
    }
    u64::from(rounds > 0)
}
