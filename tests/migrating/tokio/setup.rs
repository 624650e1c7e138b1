//! An entry point.

// snippet
#[tokio::main(worker_threads = 4)]
async fn main() -> std::io::Result<()> {
    let answer = tokio::spawn(async { 6 * 7 });
    assert_eq!(answer.await?, 42);
    Ok(())
}
// end

#[test]
fn runs() {
    main().expect("no panic");
}
