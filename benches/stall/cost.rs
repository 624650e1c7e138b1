//! What the hand-off costs those who never need it: gmp with and without it.

use std::future::poll_fn;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Instant;

use gmp::runtime::Builder;

use crate::table::median;

const ROWS: [&str; 3] = ["spawn", "yield", "pingpong"];

/// One run in this process: prints nanoseconds an operation, the best of some.
pub(crate) fn child(what: &str, handoff: bool, n: &str) {
    let n: u32 = n.parse().expect("a number of operations");
    let runtime = Builder::new()
        .procs(1)
        .handoff(handoff)
        .build()
        .expect("a runtime");
    let best = (0..7)
        .map(|_| {
            let start = Instant::now();
            match what {
                "spawn" => runtime.block_on(async move {
                    gmp::spawn(spawn(n)).await.expect("no panic");
                }),
                "yield" => runtime.block_on(async move {
                    gmp::spawn(give_way(n)).await.expect("no panic");
                }),
                "pingpong" => runtime.block_on(async move {
                    gmp::spawn(ping_pong(n)).await.expect("no panic");
                }),
                _ => unreachable!("a row of the table"),
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(n)
        })
        .fold(f64::INFINITY, f64::min);
    println!("{best}");
}

async fn spawn(n: u32) {
    for _ in 0..n / 100 {
        let batch: Vec<_> = (0..100).map(|i| gmp::spawn(async move { i })).collect();
        for task in batch {
            task.await.expect("no panic");
        }
    }
}

async fn give_way(n: u32) {
    for _ in 0..n {
        gmp::task::yield_now().await;
    }
}

/// Whose turn it is, and who waits for the other one's.
#[derive(Default)]
struct Ball {
    side: bool,
    waiter: Option<Waker>,
}

async fn ping_pong(n: u32) {
    let ball: Arc<Mutex<Ball>> = Arc::default();
    let player = |me: bool| {
        let ball = ball.clone();
        async move {
            for _ in 0..n / 2 {
                poll_fn(|cx| {
                    let mut ball = ball.lock().expect("no panic under it");
                    if ball.side == me {
                        ball.side = !me;
                        if let Some(other) = ball.waiter.take() {
                            other.wake();
                        }
                        return Poll::Ready(());
                    }
                    ball.waiter = Some(cx.waker().clone());
                    Poll::Pending
                })
                .await;
            }
        }
    };
    let other = gmp::spawn(player(true));
    gmp::spawn(player(false)).await.expect("no panic");
    other.await.expect("no panic");
}

pub(crate) fn parent(tiny: bool, rounds: usize) {
    let (n, runs) = if tiny {
        (1000, 1)
    } else {
        (200_000, 3 + 4 * rounds)
    };
    println!("\nnanoseconds an operation, 1 P, median of {runs} runs");
    println!(
        "{:<10} {:>12} {:>12} {:>8}",
        "", "no hand-off", "hand-off", "ratio"
    );
    for what in ROWS {
        let mut nanos = [Vec::new(), Vec::new()];
        for run in 0..runs {
            // Whoever comes first has the warmer or the colder machine: take turns.
            for place in 0..2 {
                let handoff = (run + place) % 2 == 1;
                nanos[usize::from(handoff)].push(one(what, handoff, n));
            }
        }
        let [without, with] = nanos.map(median);
        println!(
            "{what:<10} {without:>12.1} {with:>12.1} {:>8.3}",
            with / without
        );
    }
}

fn one(what: &str, handoff: bool, n: u32) -> f64 {
    let output = Command::new(std::env::current_exe().expect("the path of this program"))
        .args(["cost", what, &handoff.to_string(), &n.to_string()])
        .output()
        .expect("a child can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| {
        panic!(
            "{what}: {}\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
