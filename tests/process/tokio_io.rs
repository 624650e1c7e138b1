//! The same streams by the traits of Tokio.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{cat, on_each};

const MUCH: usize = 1_000_000;

#[test]
fn tokios_traits_read_and_write_as_well() {
    on_each(async || {
        let mut child = cat();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let writer = gmp::spawn(async move {
            stdin.write_all(&vec![7; MUCH]).await.unwrap();
            stdin.flush().await.unwrap();
            stdin.shutdown().await.unwrap();
            stdin
        });
        let mut heard = Vec::new();
        stdout.read_to_end(&mut heard).await.unwrap();
        assert!(heard == vec![7; MUCH], "{} bytes", heard.len());
        drop(writer.await.unwrap());
        assert!(child.wait().await.unwrap().success());
    });
}
