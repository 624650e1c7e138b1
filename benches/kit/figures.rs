//! How a figure is written.

/// How often `base` goes into `figure`.
pub(crate) fn times(figure: f64, base: f64) -> String {
    if base > 0.0 {
        format!("{:.2}x", figure / base)
    } else {
        "-".to_owned()
    }
}

/// Three significant digits, and no fraction from 100 on.
pub(crate) fn digits(x: f64) -> String {
    match x {
        x if x >= 100.0 => format!("{x:.0}"),
        x if x >= 10.0 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    }
}
