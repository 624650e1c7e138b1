//! What every task does.

// snippet
use gmp::task::Builder;
use std::time::Duration;

async fn look() -> String {
    let reader = Builder::new().name("reader").spawn(async {
        gmp::time::sleep(Duration::from_secs(60)).await;
    });
    gmp::time::sleep(Duration::from_millis(5)).await;
    let dump = gmp::profiler::stack_all();
    reader.abort();
    dump
}
// end

#[test]
fn runs() {
    let dump = gmp::block_on(look());
    assert!(dump.contains("reader"), "{dump}");
}
