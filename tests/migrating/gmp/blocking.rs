//! A call that blocks.

// snippet
use std::path::Path;

async fn size(path: &Path) -> std::io::Result<u64> {
    // Runs here, so it may borrow. If it takes long, the P goes on elsewhere.
    gmp::task::block_in_place(|| std::fs::metadata(path).map(|found| found.len()))
}
// end

#[test]
fn runs() {
    assert!(gmp::block_on(size("Cargo.toml".as_ref())).is_ok_and(|size| size > 0));
}
