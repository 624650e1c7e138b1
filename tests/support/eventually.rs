//! Waits for what must come true, without a guess at how long it takes.

use std::thread;
use std::time::{Duration, Instant};

/// Looks again and again until `holds`.
///
/// # Panics
/// If it does not hold for 30 seconds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < patience, "never came true: {what}");
        thread::sleep(Duration::from_micros(200));
    }
}
