//! Timers: waiting, ticking, giving up in time, and calling a function later.
//!
//! `cargo run --release --example timers`

use std::future::pending;
use std::time::Duration;

use futures::channel::oneshot;
use gmp::time::{self, Instant, MissedTickBehavior};

#[gmp::main]
async fn main() {
    // A sleep takes its time to the nanosecond, not to the next millisecond, and
    // never ends early.
    let start = Instant::now();
    time::sleep(Duration::from_micros(300)).await;
    println!("asked for 300 µs, slept {:?}", start.elapsed());

    // Many sleepers cost one heap entry each; nobody waits for anybody.
    let start = Instant::now();
    let sleepers: Vec<_> = (0..10_000)
        .map(|_| gmp::spawn(time::sleep(Duration::from_millis(20))))
        .collect();
    for sleeper in sleepers {
        sleeper.await.expect("a sleep does not panic");
    }
    println!("10000 sleeps of 20 ms at once: {:?}", start.elapsed());

    // A ticker that was kept waiting ticks once and goes on in its old phase.
    let mut ticker = time::interval(Duration::from_millis(5));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let start = ticker.tick().await;
    time::sleep(Duration::from_millis(12)).await;
    for _ in 0..3 {
        let due = ticker.tick().await;
        println!("a tick that was due after {:?}", due - start);
    }

    // A deadline for any future; the future is dropped when the time is over.
    match time::timeout(Duration::from_millis(5), pending::<()>()).await {
        Ok(()) => println!("this never happens"),
        Err(error) => println!("pending: {error}"),
    }
    let answer = time::timeout(Duration::MAX, async { 42 }).await;
    println!("in time: {answer:?}");

    // A function at a later time, in a task of its own.
    let (tell, told) = oneshot::channel();
    let start = Instant::now();
    time::after_func(Duration::from_millis(3), move || {
        // Nobody listens if main was faster.
        let _ = tell.send(start.elapsed());
    });
    println!(
        "after_func ran after {:?}",
        told.await.expect("it was called")
    );
    let timer = time::after_func(Duration::from_secs(3600), || unreachable!());
    println!("stopped before its time: {}", timer.stop());
}
