//! What the reader sees: a table a case and a closing line a case.
//!
//! No figure stands alone: every table has the peers beside it, and the closing line is a ratio.

use crate::cases::{Case, Metric};
use crate::drive::{Line, Run};
use crate::measure::Sample;
use crate::peer::Peer;

/// Least, median and most of some runs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Option<Self> {
        let mut all: Vec<_> = runs.iter().map(figure).collect();
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

/// Median of what other processes took, in percent of one CPU.
fn noise(line: &Line) -> Option<f64> {
    Spread::of(&line.runs, |run| run.noise).map(|noise| noise.median)
}

fn decisive(case: &Case, line: &Line) -> Option<Spread> {
    Spread::of(&line.runs, |run| case.metric.of(&run.sample))
}

/// The peer with the least median, gmp left out.
fn best_peer(case: &Case, lines: &[Line]) -> Option<(Peer, Spread)> {
    lines
        .iter()
        .filter(|line| line.peer != Peer::Gmp)
        .filter_map(|line| Some((line.peer, decisive(case, line)?)))
        .min_by(|(_, a), (_, b)| a.median.total_cmp(&b.median))
}

/// The table of one case at one width.
pub(crate) fn table(case: &Case, workers: usize, lines: &[Line]) -> String {
    let columns = columns(case, lines);
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(columns.iter().map(|column| column.head.clone()));
    for line in lines {
        let mut row = vec![line.peer.name().to_owned()];
        if line.runs.is_empty() {
            row.push("FAILED".to_owned());
        } else {
            row.extend(columns.iter().map(|column| (column.cell)(line)));
        }
        rows.push(row);
    }
    let title = format!("\n{}, w={workers}: {}\n\n", case.name, case.about);
    title + &aligned(&rows) + &failures(lines)
}

struct Column<'a> {
    head: String,
    cell: Box<dyn Fn(&Line) -> String + 'a>,
}

fn columns<'a>(case: &'a Case, lines: &[Line]) -> Vec<Column<'a>> {
    let mut columns = Vec::new();
    let mut column = |head: &str, cell: Box<dyn Fn(&Line) -> String + 'a>| {
        columns.push(Column {
            head: head.to_owned(),
            cell,
        });
    };
    let best = best_peer(case, lines);
    column(
        &format!("{}: median (min-max)", case.metric.unit()),
        Box::new(|line| {
            decisive(case, line).map_or_else(String::new, |spread| {
                let [median, min, max] = [spread.median, spread.min, spread.max].map(digits);
                format!("{median} ({min}-{max})")
            })
        }),
    );
    column(
        "to best peer",
        Box::new(move |line| match (best, decisive(case, line)) {
            (Some((peer, best)), Some(own)) => {
                let ratio = times(own.median, best.median);
                if peer == line.peer {
                    format!("**{ratio}**")
                } else {
                    ratio
                }
            }
            _ => "-".to_owned(),
        }),
    );
    match case.metric {
        Metric::Wall => column(
            "cpu ns/op",
            Box::new(|line| median(line, |s| Metric::Cpu.of(s))),
        ),
        Metric::Cpu => column(
            "ns/op",
            Box::new(|line| median(line, |s| Metric::Wall.of(s))),
        ),
        Metric::Memory | Metric::CpuPerSecond => {}
    }
    if case.metric == Metric::CpuPerSecond {
        let per_second = |s: &Sample| s.switches as f64 * 1e9 / s.wall_ns as f64;
        column("ctx sw/s", Box::new(move |line| median(line, per_second)));
    } else {
        let per_op = |s: &Sample| s.switches as f64 * 1e3 / s.ops as f64;
        column("ctx sw/1000 op", Box::new(move |line| median(line, per_op)));
    }
    column(
        "peak MiB",
        Box::new(|line| median(line, |s| s.peak_rss as f64 / f64::from(1 << 20))),
    );
    if lines
        .iter()
        .flat_map(|line| &line.runs)
        .any(|run| run.sample.max > 0)
    {
        column(
            "p50 / p99 / max us",
            Box::new(|line| {
                [|s: &Sample| s.p50, |s: &Sample| s.p99, |s: &Sample| s.max]
                    .map(|nanos| median(line, |s| nanos(s) as f64 / 1e3))
                    .join(" / ")
            }),
        );
    }
    column(
        "noise %",
        Box::new(|line| noise(line).map_or_else(String::new, digits)),
    );
    columns
}

fn median(line: &Line, figure: impl Fn(&Sample) -> f64) -> String {
    Spread::of(&line.runs, |run| figure(&run.sample)).map_or_else(String::new, |s| digits(s.median))
}

/// One line for a test run, whose figures would mean nothing, and what has failed.
pub(crate) fn passed(case: &Case, workers: usize, lines: &[Line]) -> String {
    let ran: Vec<_> = lines
        .iter()
        .filter(|line| line.failure.is_none())
        .map(|line| line.peer.name())
        .collect();
    format!(
        "{:<15} w={workers}  ran on {}\n{}",
        case.name,
        ran.join(", "),
        failures(lines)
    )
}

fn failures(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        if let Some(failure) = &line.failure {
            out.push_str(&format!(
                "{} failed: {}\n",
                line.peer.name(),
                failure.trim_end()
            ));
        }
    }
    out
}

/// `case w=N: gmp / best peer (NAME) = 0.87x`, with a word on what it is worth.
pub(crate) fn verdict(case: &Case, workers: usize, lines: &[Line]) -> String {
    let label = format!("{:<15} w={workers}", case.name);
    let gmp = lines
        .iter()
        .find(|line| line.peer == Peer::Gmp)
        .and_then(|line| decisive(case, line));
    match (gmp, best_peer(case, lines)) {
        (Some(gmp), Some((peer, best))) => {
            let ratio = times(gmp.median, best.median);
            let mut doubts = String::new();
            if gmp.overlaps(best) {
                doubts.push_str("  (ranges overlap)");
            }
            if lines.iter().filter_map(noise).any(|noise| noise > LOUD) {
                doubts.push_str("  (disturbed)");
            }
            format!(
                "{label}  gmp / best peer ({}) = {ratio}{doubts}",
                peer.name()
            )
        }
        (None, Some((peer, _))) => {
            format!("{label}  best peer is {}", peer.name())
        }
        (_, None) => format!("{label}  no peer has a result"),
    }
}

fn times(figure: f64, base: f64) -> String {
    if base > 0.0 {
        format!("{:.2}x", figure / base)
    } else {
        "-".to_owned()
    }
}

/// Three significant digits, and no fraction from 100 on.
fn digits(x: f64) -> String {
    match x {
        x if x >= 100.0 => format!("{x:.0}"),
        x if x >= 10.0 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
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
