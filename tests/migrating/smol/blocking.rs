//! A call that blocks.

// snippet
use std::path::PathBuf;

async fn size(path: PathBuf) -> std::io::Result<u64> {
    smol::unblock(move || std::fs::metadata(path).map(|found| found.len())).await
}
// end

#[test]
fn runs() {
    assert!(smol::block_on(size("Cargo.toml".into())).is_ok_and(|size| size > 0));
}
