//! The I/O traits.

// snippet
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Result};
use tokio::net::TcpStream;

async fn talk(mut stream: TcpStream) -> Result<Vec<String>> {
    stream.write_all(b"one\ntwo\n").await?;
    stream.shutdown().await?;
    let mut lines = BufReader::new(stream).lines();
    let mut heard = Vec::new();
    while let Some(line) = lines.next_line().await? {
        heard.push(line);
    }
    Ok(heard)
}
// end

pub(super) async fn check(stream: TcpStream) {
    assert_eq!(talk(stream).await.expect("an echo"), ["one", "two"]);
}
