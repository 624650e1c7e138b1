//! Other functions may block on their bodies too, keep their visibility, and be called many times.

#![deny(unfulfilled_lint_expectations)]

mod service {
    /// Counts to three.
    #[gmp::main(procs = 1)]
    #[must_use]
    pub(crate) async fn run() -> Vec<u32> {
        let mut numbers = Vec::new();
        for number in 1..=3 {
            numbers.push(std::future::ready(number).await);
        }
        numbers
    }
}

#[expect(dead_code, reason = "an unused function is reported, and once")]
#[gmp::main]
async fn unused() {}

fn main() {
    assert_eq!(service::run(), [1, 2, 3]);
    assert_eq!(service::run(), [1, 2, 3]);
}
