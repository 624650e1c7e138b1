//! What the reader sees: two tables a row and a closing line a row.
//!
//! No figure stands alone: every table has the peers beside it, and the closing line is made of ratios.

use crate::calls::{Calls, KINDS};
use crate::drive::{Run, Seen};
use crate::kit::contender::Contender;
use crate::kit::figures::{digits, times};
use crate::kit::line::{self, doubt, failures};
use crate::kit::spread::Spread;
use crate::kit::table::aligned;
use crate::peer::Peer;
use crate::rows::Row;

type Line = line::Line<Peer, Run>;

/// What the lines about a row at one width begin with.
pub(crate) fn label(row: &Row, workers: usize) -> String {
    format!("{:<8} w={workers}", row.name)
}

fn rate(line: &Line) -> Option<Spread> {
    line.spread(|run| run.rate)
}

/// In microseconds.
fn cpu(line: &Line) -> Option<Spread> {
    line.spread(|run| run.cpu / 1e3)
}

impl Seen {
    fn of(&self, peer: Peer) -> Option<&Line> {
        self.lines.iter().find(|line| line.peer == peer)
    }

    fn calls_of(&self, peer: Peer) -> Option<f64> {
        let of = |(of, _): &&(Peer, Calls)| *of == peer;
        self.calls.iter().find(of).map(|(_, calls)| calls.total)
    }
}

/// The peer with the most requests per second, gmp's lines left out.
fn best_peer(lines: &[Line]) -> Option<&Line> {
    lines
        .iter()
        .filter(|line| !matches!(line.peer, Peer::Gmp | Peer::GmpServe))
        .filter_map(|line| Some((line, rate(line)?.median)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(line, _)| line)
}

/// The tables of one row at one width.
pub(crate) fn tables(row: &Row, workers: usize, seen: &Seen) -> String {
    let best = best_peer(&seen.lines);
    let ratio = |own: Option<f64>, base: Option<f64>| match (own, base) {
        (Some(own), Some(base)) => times(own, base),
        _ => "-".to_owned(),
    };
    let mid = |spread: Option<Spread>| spread.map(|spread| spread.median);
    let mut rows = vec![heads(&[
        "",
        "req/s: median (min-max)",
        "to best peer",
        "cpu us: median (min-max)",
        "to best peer",
        "p50 / p99 / max us",
        "calls",
        "peak MiB",
        "noise %",
    ])];
    for line in &seen.lines {
        let mut cells = vec![line.peer.name().to_owned()];
        if line.runs.is_empty() {
            cells.push("FAILED".to_owned());
        } else {
            let latencies = [
                |run: &Run| run.p50,
                |run: &Run| run.p99,
                |run: &Run| run.max,
            ];
            cells.extend([
                spread(rate(line)),
                ratio(mid(rate(line)), best.and_then(|best| mid(rate(best)))),
                spread(cpu(line)),
                ratio(mid(cpu(line)), best.and_then(|best| mid(cpu(best)))),
                latencies
                    .map(|of| figure(line.median(of).map(|nanos| nanos / 1e3)))
                    .join(" / "),
                figure(seen.calls_of(line.peer)),
                figure(line.median(|run| run.peak / f64::from(1 << 20))),
                figure(line.median(|run| run.noise)),
            ]);
        }
        rows.push(cells);
    }
    let title = format!("\n{}, w={workers}: {}\n\n", row.name, row.about);
    title + &aligned(&rows) + &calls(&seen.calls) + &failures(&seen.lines)
}

/// What the system calls per request are for.
fn calls(counted: &[(Peer, Calls)]) -> String {
    if counted.is_empty() {
        return String::new();
    }
    let mut head = vec!["calls"];
    head.extend(KINDS.iter().map(|(kind, _)| *kind));
    head.extend(["other", "all"]);
    let mut rows = vec![heads(&head)];
    for (peer, calls) in counted {
        let mut cells = vec![peer.name().to_owned()];
        cells.extend(
            KINDS
                .iter()
                .map(|(_, names)| calls.of_kind(names))
                .chain([calls.other(), calls.total])
                .map(|calls| format!("{calls:.2}")),
        );
        rows.push(cells);
    }
    format!("\n{}", aligned(&rows))
}

/// gmp beside each peer, with a word on what it is worth.
pub(crate) fn verdict(label: &str, seen: &Seen) -> String {
    let Some((gmp, own)) = seen
        .of(Peer::Gmp)
        .and_then(|line| Some((line, rate(line)?)))
    else {
        return format!("{label}  no result of gmp");
    };
    let mut parts = Vec::new();
    for line in &seen.lines {
        if let Some(other) = rate(line).filter(|_| line.peer != Peer::Gmp) {
            let overlap = if own.overlaps(other) {
                " (overlap)"
            } else {
                ""
            };
            let cpu = match (cpu(gmp), cpu(line)) {
                (Some(own), Some(other)) => times(own.median, other.median),
                _ => "-".to_owned(),
            };
            let calls = match (seen.calls_of(Peer::Gmp), seen.calls_of(line.peer)) {
                (Some(own), Some(other)) => times(own, other),
                _ => "-".to_owned(),
            };
            parts.push(format!(
                "{}: {}{overlap} cpu {cpu} calls {calls}",
                line.peer.name(),
                times(own.median, other.median),
            ));
        }
    }
    if parts.is_empty() {
        return format!("{label}  no peer has a result");
    }
    let doubt = doubt(&seen.lines, |run| run.noise);
    format!("{label}  gmp to {}{doubt}", parts.join("; "))
}

fn spread(spread: Option<Spread>) -> String {
    spread.map_or_else(|| "-".to_owned(), |spread| spread.to_string())
}

fn figure(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), digits)
}

fn heads(heads: &[&str]) -> Vec<String> {
    heads.iter().map(|&head| head.to_owned()).collect()
}
