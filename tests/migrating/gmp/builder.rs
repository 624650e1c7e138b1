//! A runtime made by hand.

// snippet
use gmp::runtime::{Builder, Runtime};

fn runtime() -> std::io::Result<Runtime> {
    Builder::new()
        .procs(4)
        .max_threads(104)
        .thread_name("svc")
        .build()
}
// end

#[test]
fn runs() {
    let runtime = runtime().expect("a runtime");
    assert_eq!(runtime.block_on(async { 1 }), 1);
}
