//! Blocking inside a task.

// snippet
/// To be called from anywhere: in a task, the other tasks go on.
fn next_key(key: u32) -> u32 {
    gmp::block_on(async { key + 1 })
}
// end

#[test]
fn runs() {
    assert_eq!(next_key(1), 2);
    assert_eq!(gmp::block_on(async { next_key(2) }), 3);
    let task = gmp::spawn(async { next_key(3) });
    assert_eq!(gmp::block_on(task).expect("no panic"), 4);
}
