//! Tests after which no task is left.

use std::time::Duration;

use gmp::runtime::Handle;

#[path = "limited.rs"]
mod limited;

/// Runs `test` on a runtime of each size, and then finds no task left, all within a
/// minute for each.
#[track_caller]
pub(crate) fn on_each<const N: usize>(sizes: [usize; N], test: impl AsyncFn()) {
    for procs in sizes {
        limited::limited(procs, 60, async {
            let before = Handle::current().num_tasks();
            test().await;
            while Handle::current().num_tasks() > before {
                gmp::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
}
