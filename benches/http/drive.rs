//! The parent process: one server a run, contenders interleaved.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::calls::{Calls, Counter};
use crate::client::{Client, Until};
use crate::kit::line::{self, Line};
use crate::kit::listening;
use crate::kit::pinned::Pinned;
use crate::kit::proc::machine_busy;
use crate::kit::scale::Scale;
use crate::peer::Peer;
use crate::proc;
use crate::rows::Row;

/// What one run has shown. Times are in nanoseconds; what the system does not tell is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Requests per second.
    pub(crate) rate: f64,
    /// CPU time of the server per request.
    pub(crate) cpu: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    /// The most memory resident in the server, in bytes.
    pub(crate) peak: f64,
    /// CPU time taken by neither server nor load, in percent of one CPU.
    pub(crate) noise: f64,
}

/// What is seen of one row at one width.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) lines: Vec<Line<Peer, Run>>,
    /// System calls per request, of the run in the middle; of those for whom they were counted.
    pub(crate) calls: Vec<(Peer, Calls)>,
}

#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) scale: Scale,
    pub(crate) rounds: usize,
    pub(crate) counter: Option<Counter>,
    pub(crate) go: Option<PathBuf>,
}

impl Driver {
    /// Serves `row` on each of `peers`. The system calls are counted afterwards, likewise by turns.
    pub(crate) fn compare(&self, row: &Row, workers: usize, peers: &[Peer]) -> Seen {
        let peers = peers.iter().copied();
        let run = |peer| self.run(peer, row, workers);
        let mut lines = line::by_turns(peers, self.rounds, run);
        let calls = self.counter.map_or_else(Vec::new, |counter| {
            self.count_all(counter, row, workers, &mut lines)
        });
        Seen { lines, calls }
    }

    fn count_all(
        &self,
        counter: Counter,
        row: &Row,
        workers: usize,
        lines: &mut [Line<Peer, Run>],
    ) -> Vec<(Peer, Calls)> {
        // To see that a tool works, one run is enough.
        let most = self.scale.pick(lines.len(), lines.len(), 1);
        let mut counts = vec![Vec::new(); lines.len()];
        for _ in 0..self.scale.pick(3, 1, 1) {
            for (line, counts) in lines.iter_mut().zip(&mut counts).take(most) {
                if line.failure.is_none() {
                    match self.count(counter, line.peer, row, workers) {
                        Ok(calls) => counts.push(calls),
                        Err(failure) => line.failure = Some(failure),
                    }
                }
            }
        }
        lines
            .iter()
            .zip(counts)
            .filter_map(|(line, counts)| Some((line.peer, Calls::middle(counts)?)))
            .collect()
    }

    fn run(&self, peer: Peer, row: &Row, workers: usize) -> Result<Run, String> {
        // A one-threaded server and the one-threaded load get a CPU each, where there are two.
        let pinned = (workers == 1).then(Pinned::to_first).flatten();
        let server = Served::start(self.command(peer, row, workers, &[])?)?;
        if let Some(pinned) = &pinned {
            pinned.move_to_second();
        }
        let mut client = Client::connect(server.addr, row).map_err(said)?;
        client.run(warm_up(self.scale, row)).map_err(said)?;
        let times = || (machine_busy(), proc::cpu(server.pid()), proc::own_cpu());
        let before = times();
        let seen = client.run(measured(self.scale, row)).map_err(said)?;
        let after = times();
        let peak = proc::peak_rss(server.pid());
        server.stop()?;

        let wall = seen.wall.as_secs_f64();
        let requests = seen.requests as f64;
        let spent = |after: Option<_>, before| match (after, before) {
            (Some(after), Some(before)) => Duration::saturating_sub(after, before).as_secs_f64(),
            _ => 0.0,
        };
        let (busy, cpu, own) = (
            spent(after.0, before.0),
            spent(after.1, before.1),
            spent(after.2, before.2),
        );
        Ok(Run {
            rate: requests / wall,
            cpu: cpu * 1e9 / requests,
            p50: seen.latencies.quantile(0.50) as f64,
            p99: seen.latencies.quantile(0.99) as f64,
            max: seen.latencies.max() as f64,
            peak: peak.unwrap_or(0) as f64,
            noise: (100.0 * (busy - cpu - own) / wall).max(0.0),
        })
    }

    fn count(
        &self,
        counter: Counter,
        peer: Peer,
        row: &Row,
        workers: usize,
    ) -> Result<Calls, String> {
        let requests = counted(self.scale, row);
        let tally = |requests| {
            let name = format!("http-calls-{}", process::id());
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            let command = self.command(peer, row, workers, &counter.under(&file))?;
            let server = Served::start(command)?;
            let mut client = Client::connect(server.addr, row).map_err(said)?;
            client.run(Until::Answered(requests)).map_err(said)?;
            server.stop()?;
            let calls = counter.read(&file);
            fs::remove_file(&file).map_err(said)?;
            calls
        };
        let few = 2 * row.open();
        Ok(Calls::per_request(
            &tally(few)?,
            &tally(few + requests)?,
            requests,
        ))
    }

    fn command(
        &self,
        peer: Peer,
        row: &Row,
        workers: usize,
        under: &[String],
    ) -> Result<Command, String> {
        peer.command(row, workers, self.go.as_deref(), under)
            .map_err(said)
    }
}

fn warm_up(scale: Scale, row: &Row) -> Until {
    let span = |millis| Until::Passed(Duration::from_millis(millis));
    scale.pick(span(500), span(150), Until::Answered(row.open()))
}

fn measured(scale: Scale, row: &Row) -> Until {
    let span = |millis| Until::Passed(Duration::from_millis(millis));
    scale.pick(span(3000), span(700), Until::Answered(2 * row.open()))
}

/// How many requests the system calls are counted over.
fn counted(scale: Scale, row: &Row) -> u64 {
    if row.body > 64 << 10 {
        scale.pick(2000, 800, 50)
    } else {
        scale.pick(50_000, 20_000, 500)
    }
}

fn said(error: io::Error) -> String {
    error.to_string()
}

/// A server that runs; dropped, it is killed.
#[derive(Debug)]
struct Served {
    child: Child,
    /// Its end is the server's.
    stdin: Option<ChildStdin>,
    addr: SocketAddr,
}

impl Served {
    fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(said)?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("it is piped");
        let mut served = Self {
            child,
            stdin,
            addr: ([0, 0, 0, 0], 0).into(),
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(said)?;
        served.addr = listening::read(&line)?;
        Ok(served)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn stop(mut self) -> Result<(), String> {
        drop(self.stdin.take());
        let status = self.child.wait().map_err(said)?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{status} after its answers"))
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // One that has ended on its own cannot be killed, which is as good.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
