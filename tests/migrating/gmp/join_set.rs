//! A set of tasks.

// snippet
use gmp::task::JoinSet;

async fn sum_of_squares() -> u32 {
    let mut set = JoinSet::new();
    for n in 0..4 {
        set.spawn(async move { n * n });
    }
    let mut sum = 0;
    while let Some(square) = set.join_next().await {
        sum += square.expect("no panic");
    }
    sum
}
// end

#[test]
fn runs() {
    assert_eq!(gmp::block_on(sum_of_squares()), 14);
}
