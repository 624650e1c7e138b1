//! A task that ends with its handle.

// snippet
async fn first_of_two() -> u32 {
    let _ticker = smol::spawn(std::future::pending::<()>());
    // Dropped with the function's end, which cancels it.
    1
}
// end

#[test]
fn runs() {
    assert_eq!(smol::block_on(first_of_two()), 1);
}
