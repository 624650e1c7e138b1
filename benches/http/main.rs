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
#[path = "../kit/kit.rs"]
mod kit;
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
use kit::child::RUN_ONE;
use kit::contest::{self, Contest, Told};
use kit::options::Options;
use options::MENU;
use peer::Peer;
use rows::Row;

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == RUN_ONE) {
        return server::run(&args[1..]);
    }
    let go = contest::go_version();
    MENU.answer(&args, go.is_some(), |options| compare(options, go))
}

/// The parent process.
fn compare(options: Options<Row, Peer>, go: Option<String>) -> ExitCode {
    let contest = Contest::prepare(options, "http");
    let scale = contest.options.scale;
    let driver = Driver {
        scale,
        rounds: contest.options.rounds,
        counter: Counter::find(),
        go: contest.go.clone(),
    };
    let counter = driver.counter.map_or("nobody", Counter::name);
    contest.announce(&format!("system calls by {counter}"), go);
    contest.hold(|row, workers, peers| {
        let seen = driver.compare(row, workers, peers);
        let label = report::label(row, workers);
        Told::of(scale, &label, &seen.lines, || {
            [
                report::tables(row, workers, &seen),
                report::verdict(&label, &seen),
            ]
        })
    })
}
