//! Attributes and documentation stay, and the body runs once.

use std::sync::atomic::{AtomicU32, Ordering};

static RUNS: AtomicU32 = AtomicU32::new(0);

/// Starts the program.
#[gmp::main]
#[deny(missing_docs, unused, unused_qualifications)]
async fn main() {
    #![expect(unused_variables, reason = "an inner attribute belongs to the body")]
    let unused = std::future::ready(1).await;
    assert_eq!(RUNS.fetch_add(1, Ordering::Relaxed), 0);
}
