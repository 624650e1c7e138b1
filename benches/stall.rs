//! Do tasks that compute or block keep the others from running?
//!
//! Two Ps (workers) serve a 1 ms ticker and an echo client over loopback TCP while
//! `k` hogs take what they can. Every run is a process of its own; the runtimes
//! take turns. `cargo bench --bench stall -- [--quick] [--test] [words…]`: a word
//! selects the rows whose name contains it. Built with
//! `RUSTFLAGS="--cfg tokio_unstable"` it has Tokio with its eager driver hand-off too.

#[path = "stall/cost.rs"]
mod cost;
#[path = "stall/load.rs"]
mod load;
#[path = "stall/on_gmp.rs"]
mod on_gmp;
#[path = "stall/on_go.rs"]
mod on_go;
#[path = "stall/on_smol.rs"]
mod on_smol;
#[path = "stall/on_threads.rs"]
mod on_threads;
#[path = "stall/on_tokio.rs"]
mod on_tokio;
#[path = "stall/table.rs"]
mod table;

use std::process::Command;
use std::time::Duration;

use load::{Hog, Outcome, Plan};
use on_tokio::Way;

/// Who runs the tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Runtime {
    Gmp,
    /// gmp that leaves each P where it is: what the others do.
    GmpFixed,
    Tokio,
    /// Tokio whose driver goes to another worker before a poll. Its option is behind
    /// `RUSTFLAGS="--cfg tokio_unstable"`, with which this bench has to be built.
    TokioEager,
    /// Each hog turn inside Tokio's `block_in_place`.
    TokioInPlace,
    Smol,
    Go,
    /// A thread for each task.
    Threads,
}

impl Runtime {
    const ALL: [Runtime; 8] = [
        Runtime::Gmp,
        Runtime::GmpFixed,
        Runtime::Tokio,
        Runtime::TokioEager,
        Runtime::TokioInPlace,
        Runtime::Smol,
        Runtime::Go,
        Runtime::Threads,
    ];

    fn name(self) -> &'static str {
        match self {
            Runtime::Gmp => "gmp",
            Runtime::GmpFixed => "gmp-fixed",
            Runtime::Tokio => "tokio",
            Runtime::TokioEager => "tokio-eager",
            Runtime::TokioInPlace => "tokio-inplace",
            Runtime::Smol => "smol",
            Runtime::Go => "go",
            Runtime::Threads => "threads",
        }
    }

    fn parse(name: &str) -> Option<Runtime> {
        Runtime::ALL.into_iter().find(|r| r.name() == name)
    }

    /// Whether the combination says anything.
    fn has(self, hog: Hog) -> bool {
        match self {
            Runtime::TokioEager => cfg!(tokio_unstable),
            // A section around polls that never block is no use of one.
            Runtime::TokioInPlace => hog != Hog::Ready,
            _ => true,
        }
    }
}

/// How much is measured.
struct Extent {
    rounds: usize,
    run: Duration,
    ks: &'static [usize],
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["case", runtime, hog, k, ms] => child(runtime, hog, k, ms),
        ["cost", what, handoff, n] => cost::child(what, *handoff == "true", n),
        _ => parent(&args),
    }
}

/// One run in this process; prints its outcome.
fn child(runtime: &str, hog: &str, k: &str, ms: &str) {
    let plan = Plan {
        hog: Hog::parse(hog).expect("a kind of hog"),
        k: k.parse().expect("a number of hogs"),
        run: Duration::from_millis(ms.parse().expect("milliseconds")),
        work: load::calibrate(),
    };
    let outcome = match Runtime::parse(runtime).expect("a runtime") {
        Runtime::Gmp => on_gmp::run(plan, true),
        Runtime::GmpFixed => on_gmp::run(plan, false),
        Runtime::Tokio => on_tokio::run(plan, Way::Plain),
        Runtime::TokioEager => on_tokio::run(plan, Way::Eager),
        Runtime::TokioInPlace => on_tokio::run(plan, Way::InPlace),
        Runtime::Smol => on_smol::run(plan),
        Runtime::Threads => on_threads::run(plan),
        Runtime::Go => unreachable!("a program of its own"),
    };
    println!("{outcome}");
}

fn parent(args: &[&str]) {
    let tiny = args.contains(&"--test");
    let extent = match (tiny, args.contains(&"--quick")) {
        (true, _) => Extent {
            rounds: 1,
            run: Duration::from_millis(60),
            ks: &[2],
        },
        (_, true) => Extent {
            rounds: 1,
            run: Duration::from_secs(1),
            ks: &[2, 16],
        },
        _ => Extent {
            rounds: 3,
            run: Duration::from_secs(2),
            ks: &[2, 4, 16],
        },
    };
    let words: Vec<&str> = args
        .iter()
        .copied()
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wanted = |row: &str| words.is_empty() || words.iter().any(|word| row.contains(word));

    let go = on_go::build();
    if let Err(why) = &go {
        println!("no rows for Go: {why}");
    }
    if !cfg!(tokio_unstable) {
        println!("no rows for tokio-eager: build with RUSTFLAGS=\"--cfg tokio_unstable\"");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{cores} cores, 2 Ps; microseconds; median of {} runs\n",
        extent.rounds
    );
    println!("{}", table::head());
    for hog in Hog::ALL {
        for &k in extent.ks {
            let rows: Vec<Runtime> = Runtime::ALL
                .into_iter()
                .filter(|r| r.has(hog) && (*r != Runtime::Go || go.is_ok()))
                .filter(|r| wanted(&format!("{},k={k} {}", hog.name(), r.name())))
                .collect();
            let mut outcomes = vec![Vec::new(); rows.len()];
            for _ in 0..extent.rounds {
                for (row, outcomes) in rows.iter().zip(&mut outcomes) {
                    outcomes.push(measure(*row, hog, k, extent.run, go.as_deref().ok()));
                }
            }
            for (row, outcomes) in rows.iter().zip(&outcomes) {
                println!("{}", table::row(hog, k, row.name(), outcomes));
            }
        }
    }
    if wanted("cost") {
        cost::parent(tiny, extent.rounds);
    }
}

fn measure(
    runtime: Runtime,
    hog: Hog,
    k: usize,
    run: Duration,
    go: Option<&std::path::Path>,
) -> Outcome {
    let mut command = match (runtime, go) {
        (Runtime::Go, Some(program)) => Command::new(program),
        _ => {
            let mut me = Command::new(std::env::current_exe().expect("the path of this program"));
            me.args(["case", runtime.name()]);
            me
        }
    };
    command.args([
        hog.name().to_owned(),
        k.to_string(),
        run.as_millis().to_string(),
    ]);
    let output = command
        .env("SMOL_THREADS", "2")
        .env("GOMAXPROCS", "2")
        .output()
        .expect("a child can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    Outcome::parse(&text).unwrap_or_else(|| {
        panic!(
            "{} {} k={k}: {}\n{text}{}",
            runtime.name(),
            hog.name(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
