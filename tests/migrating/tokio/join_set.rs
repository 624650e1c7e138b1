//! A set of tasks.

// snippet
use tokio::task::JoinSet;

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert_eq!(sum_of_squares().await, 14) });
}
