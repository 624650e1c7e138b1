//! Tests on a runtime of one P and on one of four.

use gmp::runtime::{Builder, Runtime};

use crate::watchdog::within;

/// Runs `body` on both, within two minutes together.
#[track_caller]
pub(crate) fn on_1_and_4(body: impl Fn(Runtime) + Send + 'static) {
    within(120, move || {
        for procs in [1, 4] {
            body(Builder::new().procs(procs).build().expect("a runtime"));
        }
    });
}
