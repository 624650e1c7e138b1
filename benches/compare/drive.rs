//! The parent process: one child a run, contenders interleaved.

use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::cases::{Case, Drive};
use crate::kit::line;
use crate::kit::pinned::Pinned;
use crate::kit::proc;
use crate::kit::scale::Scale;
use crate::load::Load;
use crate::measure::{Sample, Usage};
use crate::peer::Peer;

/// A run that takes longer has hung; the longest that go well take some ten seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One run with what the parent saw beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) sample: Sample,
    /// CPU time taken by anything but the run, in percent of one CPU.
    pub(crate) noise: f64,
}

/// The runs of one contender.
pub(crate) type Line = line::Line<Peer, Run>;

#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) scale: Scale,
    pub(crate) rounds: usize,
    pub(crate) load: Load,
    pub(crate) go: Option<PathBuf>,
}

impl Driver {
    /// Runs `case` for each of `peers` that it says something to.
    pub(crate) fn compare(&self, case: &Case, workers: usize, peers: &[Peer]) -> Vec<Line> {
        let takes_part = |peer: &Peer| peer.takes_part(case, workers);
        let peers = peers.iter().copied().filter(takes_part);
        line::by_turns(peers, self.rounds, |peer| self.run(peer, case, workers))
    }

    fn run(&self, peer: Peer, case: &Case, workers: usize) -> Result<Run, String> {
        let (start, busy, own) = (Instant::now(), machine_busy(), own_cpu());
        let sample = self.sample(peer, case, workers)?;
        let foreign = (machine_busy() - busy).saturating_sub(own_cpu() - own);
        Ok(Run {
            sample,
            noise: 100.0 * foreign as f64 / start.elapsed().as_nanos() as f64,
        })
    }

    fn sample(&self, peer: Peer, case: &Case, workers: usize) -> Result<Sample, String> {
        let said = |error: io::Error| error.to_string();
        // A one-threaded server and the one-threaded load get a CPU each, where there are two.
        let pinned = if case.drive == Drive::Served && workers == 1 {
            Pinned::to_first()
        } else {
            None
        };
        let mut command = peer
            .command(case, workers, self.scale, self.go.as_deref())
            .map_err(said)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(said)?;
        if let Some(pinned) = &pinned {
            pinned.move_to_second();
        }
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let stderr = child.stderr.take().expect("it is piped");

        let complaints = thread::spawn(move || io::read_to_string(stderr).unwrap_or_default());
        let (tell, told) = mpsc::channel();
        let (load, scale, drive) = (self.load, self.scale, case.drive);
        // A thread of its own, so that a child that hangs is noticed; killing the child ends it.
        thread::spawn(move || {
            let sample = match drive {
                Drive::Served => load.drive(scale, &mut stdout, &mut stdin),
                Drive::Alone => io::read_to_string(stdout)
                    .map_err(said)
                    .and_then(|text| text.parse()),
            };
            // The receiver may have lost its patience.
            let _too_late = tell.send(sample);
        });
        let sample = told
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| Err(format!("no result after {PATIENCE:?}")));
        if sample.is_err() {
            // One that has ended on its own cannot be killed, which is as good.
            let _ended = child.kill();
        }
        let status = child.wait().map_err(said)?;
        let complaints = complaints.join().unwrap_or_default();
        match sample {
            Ok(sample) if status.success() => Ok(sample),
            Ok(_) => Err(format!("{status} after its result\n{complaints}")),
            Err(failure) => Err(format!("{failure}; {status}\n{complaints}")),
        }
    }
}

/// CPU time that the whole machine has spent, in ns; 0 where the system does not tell.
fn machine_busy() -> u64 {
    proc::machine_busy().map_or(0, |busy| busy.as_nanos() as u64)
}

/// CPU time of this process and of the children it has waited for, in ns.
fn own_cpu() -> u64 {
    Usage::of_self().cpu_ns + Usage::of_children().cpu_ns
}
