//! The command line of a comparison: what to run, on whom, how wide and how often.

use std::process::ExitCode;
use std::thread;

use super::contender::Contender;
use super::scale::Scale;

/// What a bench offers.
#[derive(Debug)]
pub(crate) struct Menu<I: 'static> {
    pub(crate) help: &'static str,
    pub(crate) items: &'static [I],
    /// What the words of the command line name, in words.
    pub(crate) named: &'static str,
    /// Whether a word of the command line selects the item.
    pub(crate) selects: fn(&I, &str) -> bool,
    /// The item's line in `--list`.
    pub(crate) listed: fn(&I) -> String,
    /// The widths to run at unless `--workers` names others; at most the second argument, outside a test.
    pub(crate) widths: fn(Scale, usize) -> Vec<usize>,
}

/// What to run.
#[derive(Debug)]
pub(crate) struct Options<I: 'static, P> {
    pub(crate) items: Vec<&'static I>,
    pub(crate) peers: Vec<P>,
    pub(crate) workers: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) scale: Scale,
}

/// What the command line asks for.
enum Asked<I: 'static, P> {
    Help,
    List,
    Run(Options<I, P>),
}

impl<I> Menu<I> {
    /// Does what `args` ask for; `go` says whether Go can take part.
    pub(crate) fn answer<P: Contender>(
        &self,
        args: &[String],
        go: bool,
        run: impl FnOnce(Options<I, P>) -> ExitCode,
    ) -> ExitCode {
        match self.parse(args, go) {
            Ok(Asked::Run(options)) => run(options),
            Ok(Asked::Help) => {
                print!("{}", self.help);
                ExitCode::SUCCESS
            }
            Ok(Asked::List) => {
                for item in self.items {
                    println!("{}", (self.listed)(item));
                }
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}\n\n{}", self.help);
                ExitCode::from(2)
            }
        }
    }

    fn parse<P: Contender>(&self, args: &[String], go: bool) -> Result<Asked<I, P>, String> {
        let flag = |name: &str| args.iter().any(|arg| arg == name);
        if flag("--help") || flag("-h") {
            return Ok(Asked::Help);
        }
        if flag("--list") {
            return Ok(Asked::List);
        }
        // Cargo says `--bench` when it benches and nothing when it tests.
        let scale = if flag("--test") || !flag("--bench") {
            Scale::Test
        } else if flag("--quick") {
            Scale::Quick
        } else {
            Scale::Full
        };
        // More workers than CPUs measure the kernel's scheduler.
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let mut options = Options {
            items: Vec::new(),
            // Building Go's side takes longer than a test should.
            peers: P::USUAL
                .iter()
                .copied()
                .filter(|&peer| peer != P::GO || (go && scale != Scale::Test))
                .collect(),
            workers: (self.widths)(scale, cpus),
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
        let selected =
            |item: &&I| names.is_empty() || names.iter().any(|name| (self.selects)(item, name));
        options.items = self.items.iter().filter(selected).collect();
        // A test run may be given a filter that is meant for other targets.
        let known = |name: &str| self.items.iter().any(|item| (self.selects)(item, name));
        match names.iter().find(|name| !known(name)) {
            Some(name) if scale != Scale::Test => {
                Err(format!("no {} is called {name}; see --list", self.named))
            }
            _ => Ok(Asked::Run(options)),
        }
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&n| n > 0)
        .ok_or_else(|| format!("{text} is not a count"))
}

fn peer<P: Contender>(name: &str) -> Result<P, String> {
    P::from_name(name).ok_or_else(|| {
        let known: Vec<_> = P::ALL.iter().map(|peer| peer.name()).collect();
        let known = known.join(", ");
        format!("no runtime is called {name}; there are {known}")
    })
}
