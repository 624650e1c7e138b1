//! Tests at whose end nothing is registered with the netpoller.

#[path = "limited.rs"]
mod limited;

/// Runs `test` on a runtime of each size, for a minute at most, and finds no source
/// left at its end.
#[track_caller]
pub(crate) fn on_each<const N: usize>(sizes: [usize; N], test: impl AsyncFn()) {
    for procs in sizes {
        let runtime = limited::limited(procs, 60, test());
        assert_eq!(runtime.handle().reactor().sources(), 0, "a source is left");
    }
}
