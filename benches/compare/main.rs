//! How does gmp compare with its peers on the same work?
//!
//! `cargo bench --bench compare -- [suite] [--quick]`; `--help` tells the rest. Every run is a process of its own, the
//! contenders take turns (A B C, A B C), each warms up inside its process, and the workloads are written once over a
//! small trait ([`runtime::Runtime`]). The result is a table a case and a ratio a case; slowness is never an error.
//!
//! How to read a table. `to best peer` divides by the best median that is not gmp's. CPU time and context switches are
//! of the whole process over the measured part; where `cpu ns/op` exceeds `ns/op` at `w=1`, a second thread has worked
//! (a runtime may run other tasks elsewhere while one of them computes for long). `noise %` is what other processes
//! took, in percent of one CPU: with much of it, widths of several workers have not had their CPUs, and the closing line
//! says `disturbed`. Two ranges that overlap are a tie.
//!
//! The parent starts this same binary with `run-one` for each run; Go, where there is a `go` on the path, is a program
//! of its own that is built at the start.

mod cases;
mod cell;
mod drive;
mod load;
mod measure;
mod options;
mod peer;
mod report;
mod runtime;
mod work;

use std::env;
use std::panic;
use std::process::{self, ExitCode};

use cases::{CASES, Scale};
use drive::Driver;
use load::Load;
use options::{Asked, HELP, Options};
use peer::{Peer, RUN_ONE};

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == RUN_ONE) {
        return run_one(&args[1..]);
    }
    let go = peer::go_version();
    match Asked::parse(&args, go.is_some()) {
        Ok(Asked::Run(options)) => compare(options, go),
        Ok(Asked::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Asked::List) => {
            for case in CASES {
                println!("{:<8}{:<16}{}", case.suite, case.name, case.about);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

/// The child process: one case, one runtime, one line of result.
fn run_one(args: &[String]) -> ExitCode {
    // A runtime may keep a task's panic to itself, and the others would wait for that task for ever.
    panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        process::exit(101);
    }));
    let run = || {
        let [peer, case, workers, scale] = args else {
            return None;
        };
        let (peer, case) = (Peer::from_name(peer)?, cases::by_name(case)?);
        Some(peer.run(case, workers.parse().ok()?, Scale::from_name(scale)?))
    };
    match run() {
        Some(sample) => {
            println!("{}", sample.with_peak());
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("usage: {RUN_ONE} PEER CASE WORKERS SCALE");
            ExitCode::from(2)
        }
    }
}

/// The parent process.
fn compare(options: Options, go: Option<String>) -> ExitCode {
    let Options {
        cases,
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
        load: Load::choose(scale),
        go: binary,
    };
    println!(
        "scale {}, {rounds} rounds, HTTP load {:?}",
        scale.name(),
        driver.load
    );
    if let Some(version) = go.filter(|_| driver.go.is_some()) {
        println!("{version}");
    }
    let mut verdicts = Vec::new();
    for case in cases {
        for &workers in &workers {
            let lines = driver.compare(case, workers, &peers);
            failed |= lines.iter().any(|line| line.failure.is_some());
            if scale == Scale::Test {
                print!("{}", report::passed(case, workers, &lines));
            } else {
                print!("{}", report::table(case, workers, &lines));
                verdicts.push(report::verdict(case, workers, &lines));
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
