//! What it costs to note the stack of a wait: nanoseconds a park, with stacks off and
//! on in turns.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use gmp::runtime::Builder;
use gmp::sync::Notify;

/// Waits of each of the two tasks in one turn.
const WAITS: u32 = 50_000;
const TURNS: usize = 9;
/// How many functions lie between a task and its leaf.
const DEPTHS: [u32; 3] = [1, 8, 24];

/// A wait below that many functions that no compiler merges.
fn wait(bell: &Notify, depth: u32) -> futures::future::BoxFuture<'_, ()> {
    Box::pin(async move {
        match depth {
            1 => bell.notified().await,
            _ => wait(bell, depth - 1).await,
        }
    })
}

/// Two tasks ring for each other: each park is a wait of a leaf.
async fn ring(mine: Arc<Notify>, other: Arc<Notify>, depth: u32) {
    for _ in 0..WAITS {
        other.notify_one();
        wait(&mine, depth).await;
    }
    // The last wait of the other.
    other.notify_one();
}

/// Nanoseconds a park, the switch of other tasks and the wake included.
fn turn(depth: u32) -> io::Result<f64> {
    let rt = Builder::new().procs(1).build()?;
    let (one, two) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let first = rt.spawn(ring(one.clone(), two.clone(), depth));
    let second = rt.spawn(ring(two, one, depth));
    let begun = Instant::now();
    rt.block_on(async {
        first.await.map_err(io::Error::other)?;
        second.await.map_err(io::Error::other)
    })?;
    Ok(begun.elapsed().as_secs_f64() * 1e9 / f64::from(2 * WAITS))
}

/// Prints the median of each, and what is between them.
pub(crate) fn parkcost() -> io::Result<()> {
    if let Err(hint) = gmp_profiler::park_stacks(true) {
        println!("# {hint}: walks find next to nothing");
    }
    println!("ns a park, medians of {TURNS} turns of {} parks", 2 * WAITS);
    println!("functions      off       on    delta");
    for depth in DEPTHS {
        let (mut off, mut on) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            for (stacks, times) in [(false, &mut off), (true, &mut on)] {
                // Whether there are frame pointers is told above.
                gmp_profiler::park_stacks(stacks).unwrap_or_default();
                times.push(turn(depth)?);
            }
        }
        let [off, on] = [off, on].map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[TURNS / 2]
        });
        let delta = on - off;
        println!("{depth:>9} {off:>8.1} {on:>8.1} {delta:>8.1}");
    }
    gmp_profiler::park_stacks(false).unwrap_or_default();
    Ok(())
}
