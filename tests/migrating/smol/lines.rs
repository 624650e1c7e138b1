//! The I/O traits.

// snippet
use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Result};
use smol::net::TcpStream;
use smol::stream::StreamExt;

async fn talk(mut stream: TcpStream) -> Result<Vec<String>> {
    stream.write_all(b"one\ntwo\n").await?;
    stream.close().await?;
    BufReader::new(stream).lines().try_collect().await
}
// end

pub(super) async fn check(stream: TcpStream) {
    assert_eq!(talk(stream).await.expect("an echo"), ["one", "two"]);
}
