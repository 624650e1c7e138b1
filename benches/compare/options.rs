//! The command line.

use std::thread;

use crate::cases::{CASES, Case, Scale};
use crate::peer::Peer;

pub(crate) const HELP: &str = "\
cargo bench --bench compare -- [SUITE | CASE]... [OPTIONS]

Runs the same workloads on gmp and on its peers, one process a run, contenders interleaved.

  --quick            smaller workloads and fewer rounds
  --rounds N         runs of each contender (default 5, quick 3)
  --workers A,B      widths to run at (default 1,2)
  --runtimes A,B     contenders (default: all; go where there is a go on the path); gmp-fixed
                     is gmp without the hand-off of Ps
  --test             each case once and tiny, to see that it runs
  --list             name the cases
";

/// What to run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) cases: Vec<&'static Case>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) workers: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) scale: Scale,
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    Help,
    List,
    Run(Options),
}

impl Asked {
    /// Reads the arguments; `go` says whether Go can take part.
    pub(crate) fn parse(args: &[String], go: bool) -> Result<Self, String> {
        let flag = |name: &str| args.iter().any(|arg| arg == name);
        if flag("--help") || flag("-h") {
            return Ok(Self::Help);
        }
        if flag("--list") {
            return Ok(Self::List);
        }
        // Cargo says `--bench` when it benches and nothing when it tests.
        let scale = if flag("--test") || !flag("--bench") {
            Scale::Test
        } else if flag("--quick") {
            Scale::Quick
        } else {
            Scale::Full
        };
        let mut options = Options {
            cases: Vec::new(),
            // Building Go's side takes longer than a test should.
            peers: Peer::ALL
                .into_iter()
                .filter(|&peer| peer != Peer::Go || (go && scale != Scale::Test))
                .collect(),
            workers: vec![1, 2],
            rounds: scale.pick(5, 3, 1),
            scale,
        };
        let mut names = Vec::new();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--rounds" => options.rounds = number(value()?)?,
                "--workers" => {
                    options.workers = value()?.split(',').map(number).collect::<Result<_, _>>()?
                }
                "--runtimes" => {
                    options.peers = value()?.split(',').map(peer).collect::<Result<_, _>>()?
                }
                // Those read above, and those that a test harness would know.
                "--bench" | "--test" | "--quick" | "--nocapture" | "-q" | "--quiet" => {}
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
                name => names.push(name),
            }
        }
        let threads = thread::available_parallelism().map_or(1, usize::from);
        if !flag("--workers") && scale != Scale::Test {
            // More workers than CPUs measure the kernel's scheduler.
            options.workers.retain(|&workers| workers <= threads);
        }
        let asked = |case: &&Case| {
            names.is_empty()
                || names
                    .iter()
                    .any(|&name| name == case.suite || name == case.name)
        };
        options.cases = CASES.iter().filter(asked).collect();
        // A test run may be given a filter that is meant for other targets.
        match names.iter().find(|&&name| {
            !CASES
                .iter()
                .any(|case| name == case.suite || name == case.name)
        }) {
            Some(name) if scale != Scale::Test => {
                Err(format!("no suite or case is called {name}; see --list"))
            }
            _ => Ok(Self::Run(options)),
        }
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&n| n > 0)
        .ok_or_else(|| format!("{text} is not a count"))
}

fn peer(name: &str) -> Result<Peer, String> {
    Peer::from_name(name).ok_or_else(|| {
        let known = Peer::ALL.map(Peer::name).join(", ");
        format!("no runtime is called {name}; there are {known}")
    })
}
