//! One contender's part in a comparison, and what can be said of it whatever was measured.

use super::contender::Contender;
use super::spread::Spread;

/// From this much on, other processes have had a say in the result; in percent of one CPU.
const LOUD: f64 = 20.0;

/// The runs of one contender.
#[derive(Debug)]
pub(crate) struct Line<P, R> {
    pub(crate) peer: P,
    pub(crate) runs: Vec<R>,
    pub(crate) failure: Option<String>,
}

impl<P, R> Line<P, R> {
    /// `None` where no run went well.
    pub(crate) fn spread(&self, figure: impl Fn(&R) -> f64) -> Option<Spread> {
        Spread::of(self.runs.iter().map(figure))
    }

    pub(crate) fn median(&self, figure: impl Fn(&R) -> f64) -> Option<f64> {
        self.spread(figure).map(|spread| spread.median)
    }
}

/// Does `run` for each of `peers` in turn, and that `rounds` times: a drift of the machine meets them all alike.
pub(crate) fn by_turns<P: Contender, R>(
    peers: impl Iterator<Item = P>,
    rounds: usize,
    mut run: impl FnMut(P) -> Result<R, String>,
) -> Vec<Line<P, R>> {
    let mut lines: Vec<_> = peers
        .map(|peer| Line {
            peer,
            runs: Vec::new(),
            failure: None,
        })
        .collect();
    for _ in 0..rounds {
        // Who has failed once would fail again, at worst after all the patience.
        for line in lines.iter_mut().filter(|line| line.failure.is_none()) {
            match run(line.peer) {
                Ok(run) => line.runs.push(run),
                Err(failure) => line.failure = Some(failure),
            }
        }
    }
    lines
}

/// What follows a verdict if other processes took much; `noise` is what they took, in percent of one CPU.
pub(crate) fn doubt<P, R>(lines: &[Line<P, R>], noise: impl Fn(&R) -> f64) -> &'static str {
    let loud = |line: &Line<P, R>| line.median(&noise).is_some_and(|noise| noise > LOUD);
    if lines.iter().any(loud) {
        "  (disturbed)"
    } else {
        ""
    }
}

/// One line for a test run, whose figures would mean nothing, and what has failed.
pub(crate) fn passed<P: Contender, R>(label: &str, lines: &[Line<P, R>]) -> String {
    let ran: Vec<_> = lines
        .iter()
        .filter(|line| line.failure.is_none())
        .map(|line| line.peer.name())
        .collect();
    format!("{label}  ran on {}\n{}", ran.join(", "), failures(lines))
}

pub(crate) fn failures<P: Contender, R>(lines: &[Line<P, R>]) -> String {
    let mut out = String::new();
    for line in lines {
        if let Some(failure) = &line.failure {
            let failure = failure.trim_end();
            out.push_str(&format!("{} failed: {failure}\n", line.peer.name()));
        }
    }
    out
}
