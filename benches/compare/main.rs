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
#[path = "../kit/kit.rs"]
mod kit;
mod load;
mod measure;
mod options;
mod peer;
mod report;
mod runtime;
mod work;

use std::env;
use std::process::ExitCode;

use cases::Case;
use drive::Driver;
use kit::child::{self, RUN_ONE};
use kit::contender::Contender;
use kit::contest::{self, Contest, Told};
use kit::options::Options;
use kit::scale::Scale;
use load::Load;
use options::MENU;
use peer::Peer;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == RUN_ONE) {
        return run_one(&args[1..]);
    }
    let go = contest::go_version();
    MENU.answer(&args, go.is_some(), |options| compare(options, go))
}

/// The child process: one case, one runtime, one line of result.
fn run_one(args: &[String]) -> ExitCode {
    child::end_on_panic();
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
fn compare(options: Options<Case, Peer>, go: Option<String>) -> ExitCode {
    let contest = Contest::prepare(options, "compare");
    let scale = contest.options.scale;
    let driver = Driver {
        scale,
        rounds: contest.options.rounds,
        load: Load::choose(scale),
        go: contest.go.clone(),
    };
    contest.announce(&format!("HTTP load {:?}", driver.load), go);
    contest.hold(|case, workers, peers| {
        let lines = driver.compare(case, workers, peers);
        let label = report::label(case, workers);
        Told::of(scale, &label, &lines, || {
            [
                report::table(case, workers, &lines),
                report::verdict(&label, case, &lines),
            ]
        })
    })
}
