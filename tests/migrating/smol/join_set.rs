//! A set of tasks that ends with its owner.

// snippet
async fn sum_of_squares() -> u32 {
    // A task that is dropped is cancelled.
    let tasks: Vec<_> = (0..4).map(|n| smol::spawn(async move { n * n })).collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await;
    }
    sum
}
// end

#[test]
fn runs() {
    assert_eq!(smol::block_on(sum_of_squares()), 14);
}
