//! The table: medians over the rounds, the worst for maxima.

use crate::load::{Hog, Outcome};

pub(crate) fn head() -> String {
    format!(
        "{:<16} {:<14} {:>8} {:>9} {:>9} {:>6} {:>9} {:>9} {:>7} {:>9}",
        "hogs",
        "runtime",
        "tick p50",
        "tick p99",
        "tick max",
        "ticks",
        "echo p50",
        "echo p99",
        "echoes",
        "turns"
    )
}

pub(crate) fn row(hog: Hog, k: usize, runtime: &str, outcomes: &[Outcome]) -> String {
    let mid = |of: fn(&Outcome) -> f64| median(outcomes.iter().map(of).collect());
    let worst = outcomes.iter().map(|o| o.ticks.max).fold(0.0, f64::max);
    format!(
        "{:<16} {:<14} {:>8.0} {:>9.0} {:>9.0} {:>6.0} {:>9.0} {:>9.0} {:>7.0} {:>9.0}",
        format!("{},k={k}", hog.name()),
        runtime,
        mid(|o| o.ticks.p50),
        mid(|o| o.ticks.p99),
        worst,
        mid(|o| o.ticks.count as f64),
        mid(|o| o.echoes.p50),
        mid(|o| o.echoes.p99),
        mid(|o| o.echoes.count as f64),
        mid(|o| o.turns as f64),
    )
}

pub(crate) fn median(mut list: Vec<f64>) -> f64 {
    list.sort_by(f64::total_cmp);
    match list.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => list[n / 2],
        n => f64::midpoint(list[n / 2 - 1], list[n / 2]),
    }
}
