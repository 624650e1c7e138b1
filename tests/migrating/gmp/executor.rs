//! A runtime of its own.

// snippet
use gmp::runtime::Builder;

fn run() -> std::io::Result<u32> {
    let runtime = Builder::new().procs(1).build()?;
    let task = runtime.spawn(async { 6 * 7 });
    // Tasks run on the runtime's threads; this one waits.
    Ok(runtime.block_on(task)?)
}
// end

#[test]
fn runs() {
    assert_eq!(run().expect("a runtime"), 42);
}
