//! Another program.

// snippet
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Result};
use tokio::process::Command;

async fn through_cat(text: &str) -> Result<String> {
    let mut cat = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = cat.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).await?;
    drop(stdin);
    let mut heard = String::new();
    let mut stdout = cat.stdout.take().expect("piped");
    stdout.read_to_string(&mut heard).await?;
    assert!(cat.wait().await?.success());
    Ok(heard)
}
// end

#[test]
fn runs() {
    let runtime = super::builder::started();
    let heard = runtime.block_on(through_cat("meow"));
    assert_eq!(heard.expect("a child"), "meow");
}
