//! What the reader sees: two tables a row and a closing line a row.
//!
//! No figure stands alone: every table has the peers beside it, and the closing line is made of ratios.

use crate::calls::{Calls, KINDS};
use crate::drive::{Line, Run};
use crate::peer::Peer;
use crate::rows::Row;

/// Least, median and most of some runs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(line: &Line, figure: impl Fn(&Run) -> f64) -> Option<Self> {
        let mut all: Vec<_> = line.runs.iter().map(figure).collect();
        all.sort_unstable_by(f64::total_cmp);
        let middle = all.len() / 2;
        let median = match all.len() {
            0 => return None,
            n if n % 2 == 0 => f64::midpoint(all[middle - 1], all[middle]),
            _ => all[middle],
        };
        Some(Self {
            min: all[0],
            median,
            max: all[all.len() - 1],
        })
    }

    fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

/// From this much on, other processes have had a say in the result.
const LOUD: f64 = 20.0;

fn rate(line: &Line) -> Option<Spread> {
    Spread::of(line, |run| run.rate)
}

fn cpu(line: &Line) -> Option<Spread> {
    Spread::of(line, |run| run.cpu)
}

fn median(line: &Line, figure: impl Fn(&Run) -> f64) -> Option<f64> {
    Spread::of(line, figure).map(|spread| spread.median)
}

fn of(lines: &[Line], peer: Peer) -> Option<&Line> {
    lines.iter().find(|line| line.peer == peer)
}

/// The peer with the most requests per second, gmp's lines left out.
fn best_peer(lines: &[Line]) -> Option<Peer> {
    lines
        .iter()
        .filter(|line| !matches!(line.peer, Peer::Gmp | Peer::GmpServe))
        .filter_map(|line| Some((line.peer, rate(line)?.median)))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(peer, _)| peer)
}

/// The tables of one row at one width.
pub(crate) fn table(row: &Row, workers: usize, lines: &[Line]) -> String {
    let best = best_peer(lines).and_then(|peer| of(lines, peer));
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
    for line in lines {
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
                spread(rate(line), 1.0),
                ratio(mid(rate(line)), best.and_then(|best| mid(rate(best)))),
                spread(cpu(line), 1e-3),
                ratio(mid(cpu(line)), best.and_then(|best| mid(cpu(best)))),
                latencies
                    .map(|of| figure(median(line, of).map(|nanos| nanos / 1e3)))
                    .join(" / "),
                figure(line.calls.as_ref().map(|calls| calls.total)),
                figure(median(line, |run| run.peak / f64::from(1 << 20))),
                figure(median(line, |run| run.noise)),
            ]);
        }
        rows.push(cells);
    }
    let title = format!("\n{}, w={workers}: {}\n\n", row.name, row.about);
    title + &aligned(&rows) + &calls(lines) + &failures(lines)
}

/// What the system calls per request are for.
fn calls(lines: &[Line]) -> String {
    let counted: Vec<_> = lines
        .iter()
        .filter_map(|line| Some((line.peer, line.calls.as_ref()?)))
        .collect();
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

/// One line for a test run, whose figures would mean nothing, and what has failed.
pub(crate) fn passed(row: &Row, workers: usize, lines: &[Line]) -> String {
    let ran: Vec<_> = lines
        .iter()
        .filter(|line| line.failure.is_none())
        .map(|line| line.peer.name())
        .collect();
    format!(
        "{:<8} w={workers}  ran on {}\n{}",
        row.name,
        ran.join(", "),
        failures(lines)
    )
}

fn failures(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        if let Some(failure) = &line.failure {
            let failure = failure.trim_end();
            out.push_str(&format!("{} failed: {failure}\n", line.peer.name()));
        }
    }
    out
}

/// gmp beside each peer, with a word on what it is worth.
pub(crate) fn verdict(row: &Row, workers: usize, lines: &[Line]) -> String {
    let label = format!("{:<8} w={workers}", row.name);
    let Some((gmp, own)) = of(lines, Peer::Gmp).and_then(|line| Some((line, rate(line)?))) else {
        return format!("{label}  no result of gmp");
    };
    let mut parts = Vec::new();
    for line in lines {
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
            let total = |calls: &Option<Calls>| calls.as_ref().map(|calls| calls.total);
            let calls = match (total(&gmp.calls), total(&line.calls)) {
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
    let loud = |line: &Line| median(line, |run| run.noise).is_some_and(|noise| noise > LOUD);
    let doubt = if lines.iter().any(loud) {
        "  (disturbed)"
    } else {
        ""
    };
    format!("{label}  gmp to {}{doubt}", parts.join("; "))
}

fn times(figure: f64, base: f64) -> String {
    if base > 0.0 {
        format!("{:.2}x", figure / base)
    } else {
        "-".to_owned()
    }
}

fn spread(spread: Option<Spread>, scale: f64) -> String {
    spread.map_or_else(
        || "-".to_owned(),
        |Spread { min, median, max }| {
            let [median, min, max] = [median, min, max].map(|x| digits(x * scale));
            format!("{median} ({min}-{max})")
        },
    )
}

fn figure(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), digits)
}

/// Three significant digits, and no fraction from 100 on.
fn digits(x: f64) -> String {
    match x {
        x if x >= 100.0 => format!("{x:.0}"),
        x if x >= 10.0 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
}

fn heads(heads: &[&str]) -> Vec<String> {
    heads.iter().map(|&head| head.to_owned()).collect()
}

/// A table in Markdown that reads well in a terminal too.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns)
        .map(|i| {
            rows.iter()
                .filter_map(|row| row.get(i))
                .map(String::len)
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for (i, row) in rows.iter().enumerate() {
        for (column, width) in widths.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            out.push_str(&if column == 0 {
                format!("| {cell:<width$} ")
            } else {
                format!("| {cell:>width$} ")
            });
        }
        out.push_str("|\n");
        if i == 0 {
            for (column, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                out.push_str(&if column == 0 {
                    format!("|{dashes}-")
                } else {
                    format!("|{dashes}:")
                });
            }
            out.push_str("|\n");
        }
    }
    out
}
