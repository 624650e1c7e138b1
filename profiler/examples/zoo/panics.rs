//! Ten thousand panics a second, and what other tasks feel of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gmp::profiler::catch_panic;
use gmp::time::sleep;

use crate::pulse::{Gaps, Pulse, table};

/// Turns of storm and calm, and how long each lasts.
const TURNS: u32 = 8;
const TURN: Duration = Duration::from_millis(500);

/// A panic each tenth of a millisecond, beside `n` tasks that wait, by turns with none.
/// Fails if a report tells of any task but its own.
pub(crate) async fn panics(n: usize) -> io::Result<()> {
    let waiting: Vec<_> = (0..n)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    let pulse = Pulse::start();
    let _begun = pulse.after(TURN).await;
    let foreign = Arc::new(AtomicU64::new(0));
    let (mut count, mut calm, mut stormy) = (0, Gaps::default(), Gaps::default());
    for _ in 0..TURNS {
        calm.add(pulse.after(TURN).await);
        count += storm(&foreign).await?;
        stormy.add(pulse.after(Duration::ZERO).await);
        // What it leaves behind is neither.
        let _after = pulse.after(Duration::from_millis(20)).await;
    }
    pulse.end().await?;
    waiting.iter().for_each(gmp::task::AbortHandle::abort);
    println!(
        "{count} panics in {:?} beside {n} tasks that wait",
        TURN * TURNS
    );
    table(&calm, [("panics", &stormy)]);
    let change = stormy.p99().as_secs_f64() - calm.p99().as_secs_f64();
    println!("the p99 changes by {:.0} us", change * 1e6);
    match foreign.load(Ordering::Relaxed) {
        0 => Ok(()),
        n => Err(io::Error::other(format!("{n} reports tell of other tasks"))),
    }
}

/// The panics of one turn; how many there were.
async fn storm(foreign: &Arc<AtomicU64>) -> io::Result<usize> {
    let (mut tasks, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < TURN {
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
    Ok(count)
}
