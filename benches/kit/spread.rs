//! How far the runs of one contender lie apart.

use std::fmt;

use super::figures::digits;
use super::median::median;

/// Least, median and most of some runs; written as `median (min-max)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    min: f64,
    pub(crate) median: f64,
    max: f64,
}

impl Spread {
    /// `None` of no figures.
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut all: Vec<_> = figures.collect();
        let median = median(&mut all)?;
        Some(Self {
            min: all[0],
            median,
            max: all[all.len() - 1],
        })
    }

    /// Whether the difference between the two may be chance.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.min <= other.max && other.min <= self.max
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, min, max] = [self.median, self.min, self.max].map(digits);
        write!(f, "{median} ({min}-{max})")
    }
}
