//! An executor of its own.

// snippet
use smol::Executor;

fn run() -> u32 {
    let executor = Executor::new();
    let task = executor.spawn(async { 6 * 7 });
    // Tasks run while somebody runs the executor.
    smol::block_on(executor.run(task))
}
// end

#[test]
fn runs() {
    assert_eq!(run(), 42);
}
