//! Files.

// snippet
use std::path::Path;
use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, Result, SeekFrom};

async fn write_and_read(path: &Path) -> Result<String> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    let mut file = options.open(path).await?;
    file.write_all(b"some text").await?;
    file.flush().await?;
    file.seek(SeekFrom::Start(5)).await?;
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    fs::remove_file(path).await?;
    Ok(text)
}
// end

#[test]
fn runs() {
    let name = format!("gmp-migrating-tokio-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let runtime = super::builder::started();
    let text = runtime.block_on(write_and_read(&path));
    assert_eq!(text.expect("a file"), "text");
}
