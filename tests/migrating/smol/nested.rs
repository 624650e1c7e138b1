//! Blocking inside a task.

// snippet
/// In a task it holds up a thread of the executor.
fn next_key(key: u32) -> u32 {
    smol::block_on(async { key + 1 })
}
// end

#[test]
fn runs() {
    assert_eq!(next_key(1), 2);
}
