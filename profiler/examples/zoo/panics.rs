//! Ten thousand panics a second, and what other tasks feel of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gmp::profiler::catch_panic;
use gmp::time::sleep;

use crate::pulse::Pulse;

const STORM: Duration = Duration::from_secs(2);

/// A panic each tenth of a millisecond, beside `n` tasks that wait. Fails if a report
/// tells of any task but its own.
pub(crate) async fn panics(n: usize) -> io::Result<()> {
    let waiting: Vec<_> = (0..n)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    let pulse = Pulse::start();
    let _begun = pulse.after(Duration::from_millis(500)).await;
    let calm = pulse.after(STORM).await;
    let foreign = Arc::new(AtomicU64::new(0));
    let (mut tasks, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < STORM {
        let due = begun.elapsed().as_micros() / 100;
        while (tasks.len() as u128) < due {
            let foreign = foreign.clone();
            tasks.push(gmp::spawn(async move {
                let report = catch_panic(async { panic!("a bad request") }).await;
                let text = report.map(|(): ()| ()).expect_err("a panic").to_string();
                let own = format!("goroutine {} [running]:", gmp::task::id());
                let of = |line: &&str| line.starts_with("goroutine ");
                if text.lines().filter(of).ne([own.as_str()]) {
                    foreign.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        sleep(Duration::from_millis(1)).await;
    }
    let count = tasks.len();
    for task in tasks {
        task.await.map_err(io::Error::other)?;
    }
    let storm = pulse.after(Duration::ZERO).await;
    pulse.end().await?;
    waiting.iter().for_each(gmp::task::AbortHandle::abort);
    println!(
        "{count} panics in {STORM:?} beside {n} tasks that wait: a 1 ms heartbeat has a p99 of {:?}, \
         {:?} before; its worst gap is {:?}, {:?} before",
        storm.p99(),
        calm.p99(),
        storm.worst(),
        calm.worst(),
    );
    match foreign.load(Ordering::Relaxed) {
        0 => Ok(()),
        n => Err(io::Error::other(format!("{n} reports tell of other tasks"))),
    }
}
