//! Blocking inside a task.

// snippet
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// To be called from tasks of the multi-thread runtime only.
fn next_key(key: u32) -> u32 {
    block_in_place(|| Handle::current().block_on(async { key + 1 }))
}
// end

#[test]
fn runs() {
    let runtime = super::builder::started();
    let task = runtime.spawn(async { next_key(1) });
    assert_eq!(runtime.block_on(task).expect("no panic"), 2);
}
