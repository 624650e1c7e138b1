//! The workloads, each written once.

pub(crate) mod http;
pub(crate) mod idle;
pub(crate) mod net;
pub(crate) mod spawn;
pub(crate) mod steal;
pub(crate) mod timers;
pub(crate) mod wake;

use std::hint::black_box;

/// Computes for about 1.5 ns a step: a chain of multiplications that no compiler shortens.
pub(crate) fn compute(steps: u32) {
    let start = black_box(steps);
    black_box((0..steps).fold(start, |x, _| x.wrapping_mul(0x9E37_79B1) ^ 0x55));
}
