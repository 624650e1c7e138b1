//! As `library`, for a whole program.

// snippet
async fn call() -> u32 {
    let job = tokio::spawn(async { 6 * 7 });
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    job.await.expect("no panic")
}

fn run() -> std::io::Result<u32> {
    gmp::compat::install()?;
    Ok(gmp::block_on(gmp::spawn(call()))?)
}
// end

#[test]
fn runs() {
    assert_eq!(run().expect("threads and descriptors"), 42);
}
