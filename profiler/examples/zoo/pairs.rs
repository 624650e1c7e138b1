//! Pairs of tasks that pass a token to and fro: one of each never waits, and a look at
//! them one after the other that is no snapshot sees pairs whose token is nowhere.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use gmp::chan;
use gmp_profiler::{Status, TaskInfo};

use crate::stopcompare::percentile;

/// Takes `looks` snapshots of `n` pairs beside as many tasks that wait as make it `all`.
/// Fails if one of them shows both of a pair waiting.
pub(crate) fn pairs(all: usize, n: usize, looks: usize) -> io::Result<()> {
    async fn passes(from: chan::Receiver<()>, to: chan::Sender<()>) {
        while let Ok(()) = from.recv().await {
            if to.send(()).await.is_err() {
                break;
            }
        }
    }
    let resting: Vec<_> = (2 * n..all)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    // A task that has never waited is looked at while the world stands still.
    let moves = |task: &TaskInfo| matches!(task.status, Status::Runnable);
    while gmp_profiler::tasks().iter().any(moves) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pairs: Vec<_> = (0..n)
        .map(|_| {
            let (there, back) = (chan::bounded(1), chan::bounded(1));
            there.0.try_send(()).expect("room for the token");
            [
                gmp::spawn(passes(there.1, back.0)).abort_handle(),
                gmp::spawn(passes(back.1, there.0)).abort_handle(),
            ]
        })
        .collect();
    let (mut torn, mut stops, mut wall) = (0, Vec::new(), Duration::ZERO);
    for _ in 0..looks {
        let tasks = gmp_profiler::tasks();
        let waits = tasks
            .iter()
            .filter(|task| task.status == Status::Waiting)
            .map(|task| task.id)
            .collect::<HashSet<u64>>();
        let both = pairs
            .iter()
            .filter(|pair| pair.iter().all(|task| waits.contains(&task.id().get())))
            .count();
        println!("{}: {both} pairs with both halves waiting", tasks.shot());
        torn += both;
        stops.push(tasks.shot().stop);
        wall = wall.max(tasks.shot().wall);
    }
    let [half, most, worst] = [50, 95, 100].map(|p| percentile(&mut stops, p));
    println!("stop p50 {half:?} p95 {most:?} max {worst:?}; wall max {wall:?}");
    let tasks = pairs.iter().flatten().chain(&resting);
    tasks.for_each(gmp::task::AbortHandle::abort);
    match torn {
        0 => Ok(()),
        n => Err(io::Error::other(format!("{n} pairs were torn apart"))),
    }
}
