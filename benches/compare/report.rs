//! What the reader sees: a table a case and a closing line a case.
//!
//! No figure stands alone: every table has the peers beside it, and the closing line is a ratio.

use crate::cases::{Case, Metric};
use crate::drive::Line;
use crate::kit::contender::Contender;
use crate::kit::figures::{digits, times};
use crate::kit::line::{doubt, failures};
use crate::kit::spread::Spread;
use crate::kit::table::aligned;
use crate::measure::Sample;
use crate::peer::Peer;

/// What the lines about a case at one width begin with.
pub(crate) fn label(case: &Case, workers: usize) -> String {
    format!("{:<15} w={workers}", case.name)
}

fn decisive(case: &Case, line: &Line) -> Option<Spread> {
    line.spread(|run| case.metric.of(&run.sample))
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
        Box::new(|line| decisive(case, line).map_or_else(String::new, |spread| spread.to_string())),
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
        Box::new(|line| {
            line.median(|run| run.noise)
                .map_or_else(String::new, digits)
        }),
    );
    columns
}

fn median(line: &Line, figure: impl Fn(&Sample) -> f64) -> String {
    line.median(|run| figure(&run.sample))
        .map_or_else(String::new, digits)
}

/// `case w=N: gmp / best peer (NAME) = 0.87x`, with a word on what it is worth.
pub(crate) fn verdict(label: &str, case: &Case, lines: &[Line]) -> String {
    let gmp = lines
        .iter()
        .find(|line| line.peer == Peer::Gmp)
        .and_then(|line| decisive(case, line));
    match (gmp, best_peer(case, lines)) {
        (Some(gmp), Some((peer, best))) => {
            let ratio = times(gmp.median, best.median);
            let overlap = if gmp.overlaps(best) {
                "  (ranges overlap)"
            } else {
                ""
            };
            let doubt = doubt(lines, |run| run.noise);
            format!(
                "{label}  gmp / best peer ({}) = {ratio}{overlap}{doubt}",
                peer.name()
            )
        }
        (None, Some((peer, _))) => {
            format!("{label}  best peer is {}", peer.name())
        }
        (_, None) => format!("{label}  no peer has a result"),
    }
}
