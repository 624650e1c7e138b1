//! The command line.

use std::thread;
use std::time::Duration;

use crate::client::Until;
use crate::peer::Peer;
use crate::rows::{ROWS, Row};

pub(crate) const HELP: &str = "\
cargo bench --bench http -- [ROW]... [OPTIONS]

Serves the same answers with hyper on gmp and on its peers, one process a run, contenders interleaved.

  --quick            shorter runs, fewer rounds and one width
  --rounds N         runs of each contender (default 5, quick 3)
  --workers A,B      widths to run at (default 1,2, quick 2; at most the number of CPUs); at 1,
                     server and load get a CPU each
  --runtimes A,B     contenders (default: gmp, tokio, smol, and go where there is a go on the
                     path); gmp-serve is gmp::hyper::serve with its time-outs and drain
  --test             each row once and tiny, to see that it runs
  --list             name the rows
";

/// How much work a run is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Full,
    Quick,
    Test,
}

impl Scale {
    pub(crate) fn name(self) -> &'static str {
        self.pick("full", "quick", "test")
    }

    pub(crate) fn is_test(self) -> bool {
        self == Self::Test
    }

    pub(crate) fn warm_up(self, row: &Row) -> Until {
        let span = |millis| Until::Passed(Duration::from_millis(millis));
        self.pick(span(500), span(150), Until::Answered(row.open()))
    }

    pub(crate) fn measured(self, row: &Row) -> Until {
        let span = |millis| Until::Passed(Duration::from_millis(millis));
        self.pick(span(3000), span(700), Until::Answered(2 * row.open()))
    }

    /// How many requests the system calls are counted over.
    pub(crate) fn counted(self, row: &Row) -> u64 {
        if row.body > 64 << 10 {
            self.pick(2000, 800, 50)
        } else {
            self.pick(50_000, 20_000, 500)
        }
    }

    pub(crate) fn pick<T>(self, full: T, quick: T, test: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Test => test,
        }
    }
}

/// What to run.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rows: Vec<&'static Row>,
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
        let threads = thread::available_parallelism().map_or(1, usize::from);
        // More workers than CPUs measure the kernel's scheduler.
        let widest = threads.min(2);
        let mut options = Options {
            rows: Vec::new(),
            // Building Go's side takes longer than a test should.
            peers: Peer::USUAL
                .into_iter()
                .filter(|&peer| peer != Peer::Go || (go && scale != Scale::Test))
                .collect(),
            workers: match scale {
                Scale::Full => (1..=widest).collect(),
                Scale::Quick => vec![widest],
                Scale::Test => vec![2],
            },
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
        options.rows = ROWS
            .iter()
            .filter(|row| names.is_empty() || names.contains(&row.name))
            .collect();
        // A test run may be given a filter that is meant for other targets.
        match names
            .iter()
            .find(|&&name| !ROWS.iter().any(|row| row.name == name))
        {
            Some(name) if scale != Scale::Test => {
                Err(format!("no row is called {name}; see --list"))
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
