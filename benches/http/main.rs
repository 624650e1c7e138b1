//! How does a hyper server on gmp compare with the same server on its peers?
//!
//! `cargo bench --bench http -- [row] [--quick]`; `--help` tells the rest. Every run is a server process of its own, the
//! contenders take turns (A B C, A B C), and the same service is served by hyper on each runtime through the streams and
//! executor that are usual there; Go's is `net/http`. The load is one thread of this process for all of them: it holds
//! the connections, keeps a fixed number of requests open and takes the time from a request to the end of its answer.
//!
//! How to read a table. Requests per second are what server and load reach together, on the CPUs they share; `cpu us`
//! is what the server alone has spent on a request. `noise %` is what other processes took, in percent of one CPU: with
//! much of it the closing line says `disturbed`. Two ranges that overlap are a tie.
//!
//! `calls` are the server's system calls per request, from a pass of its own under `perf stat` or, where that cannot be
//! had, `strace` (which slows the server so much that it finds more to do each time it wakes); where there is neither, a
//! dash. Not all of them are costs: a server that is ahead of its load waits for each request, one that is behind finds
//! many at each wait. So `wait` and `futex` may differ by a tenth of a call from pass to pass; `arm`, `read` and `write`
//! are the runtime's own.

mod calls;
mod client;
mod drive;
mod options;
mod peer;
mod proc;
mod report;
mod rows;
mod server;

use std::env;
use std::process::ExitCode;

use calls::Counter;
use drive::Driver;
use options::{Asked, HELP, Options};
use peer::{Peer, RUN_ONE};
use rows::ROWS;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == RUN_ONE) {
        return server::run(&args[1..]);
    }
    let go = peer::go_version();
    match Asked::parse(&args, go.is_some()) {
        Ok(Asked::Run(options)) => compare(options, go),
        Ok(Asked::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Asked::List) => {
            for row in ROWS {
                println!("{:<10}{}", row.name, row.about);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn compare(options: Options, go: Option<String>) -> ExitCode {
    let Options {
        rows,
        mut peers,
        workers,
        rounds,
        scale,
    } = options;
    let mut failed = false;
    let mut binary = None;
    if peers.contains(&Peer::Go) {
        match peer::build_go() {
            Ok(built) => binary = Some(built),
            Err(error) => {
                eprintln!("go cannot take part: {error}");
                peers.retain(|&peer| peer != Peer::Go);
                failed = true;
            }
        }
    }
    let driver = Driver {
        scale,
        rounds,
        counter: Counter::find(),
        go: binary,
    };
    println!(
        "scale {}, {rounds} rounds, system calls by {}",
        scale.name(),
        driver.counter.map_or("nobody", Counter::name)
    );
    if let Some(version) = go.filter(|_| driver.go.is_some()) {
        println!("{version}");
    }
    let mut verdicts = Vec::new();
    for row in rows {
        for &workers in &workers {
            let lines = driver.compare(row, workers, &peers);
            failed |= lines.iter().any(|line| line.failure.is_some());
            if scale.is_test() {
                print!("{}", report::passed(row, workers, &lines));
            } else {
                print!("{}", report::table(row, workers, &lines));
                verdicts.push(report::verdict(row, workers, &lines));
            }
        }
    }
    println!();
    for verdict in verdicts {
        println!("{verdict}");
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
