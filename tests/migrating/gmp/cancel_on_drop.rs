//! A task that ends with its handle.

// snippet
use gmp::task::JoinSet;

async fn first_of_two() -> u32 {
    let mut ticker = JoinSet::new();
    ticker.spawn(std::future::pending::<()>());
    // Dropped with the function's end, which aborts what is in it.
    1
}
// end

#[test]
fn runs() {
    assert_eq!(gmp::block_on(first_of_two()), 1);
}
