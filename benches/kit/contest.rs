//! The parent process of a comparison, from Go's program to the closing lines.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use super::contender::Contender;
use super::go;
use super::line::{self, Line};
use super::options::Options;
use super::scale::Scale;

/// The version of the Go tool on the path, if there is one.
pub(crate) fn go_version() -> Option<String> {
    let out = Command::new("go")
        .arg("version")
        .env("GOTOOLCHAIN", "local")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// A comparison that is ready to begin.
#[derive(Debug)]
pub(crate) struct Contest<I: 'static, P> {
    pub(crate) options: Options<I, P>,
    /// Go's program, where Go takes part.
    pub(crate) go: Option<PathBuf>,
    failed: bool,
}

impl<I, P: Contender> Contest<I, P> {
    /// Builds Go's side of `bench` if Go is to take part. Who cannot be built leaves, and the contest has failed.
    pub(crate) fn prepare(mut options: Options<I, P>, bench: &str) -> Self {
        let (mut go, mut failed) = (None, false);
        if options.peers.contains(&P::GO) {
            match go::build(&format!("{bench}/go/main.go"), &format!("{bench}-go")) {
                Ok(built) => go = Some(built),
                Err(error) => {
                    eprintln!("go cannot take part: {error}");
                    options.peers.retain(|&peer| peer != P::GO);
                    failed = true;
                }
            }
        }
        Self {
            options,
            go,
            failed,
        }
    }

    /// Says what is held and how: `means` ends the line, `version` is Go's.
    pub(crate) fn announce(&self, means: &str, version: Option<String>) {
        let Options { scale, rounds, .. } = &self.options;
        println!("scale {}, {rounds} rounds, {means}", scale.name());
        if let Some(version) = version.filter(|_| self.go.is_some()) {
            println!("{version}");
        }
    }

    /// Has `one` compare the contenders at each item and width, and prints what it tells.
    pub(crate) fn hold(mut self, one: impl Fn(&I, usize, &[P]) -> Told) -> ExitCode {
        let mut verdicts = Vec::new();
        for item in &self.options.items {
            for &workers in &self.options.workers {
                let told = one(item, workers, &self.options.peers);
                self.failed |= told.failed;
                print!("{}", told.text);
                verdicts.extend(told.verdict);
            }
        }
        println!();
        for verdict in verdicts {
            println!("{verdict}");
        }
        if self.failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// What the reader is told of one item at one width.
#[derive(Debug)]
pub(crate) struct Told {
    failed: bool,
    text: String,
    /// The closing line; none after a test.
    verdict: Option<String>,
}

impl Told {
    /// `full` makes the tables and the closing line from the same `lines`.
    pub(crate) fn of<P: Contender, R>(
        scale: Scale,
        label: &str,
        lines: &[Line<P, R>],
        full: impl FnOnce() -> [String; 2],
    ) -> Self {
        let (text, verdict) = if scale == Scale::Test {
            (line::passed(label, lines), None)
        } else {
            let [tables, verdict] = full();
            (tables, Some(verdict))
        };
        Self {
            failed: lines.iter().any(|line| line.failure.is_some()),
            text,
            verdict,
        }
    }
}
