//! The conversions of the I/O traits, both ways.

use std::io::SeekFrom;

use futures::io as futures_io;
use gmp::compat::{CompatExt, Io};
use tokio::io as tokio_io;

use crate::on_each;

const TEXT: &str = "one\ntwo\nthree\n";

/// What a user of `futures::io` does with a file.
async fn with_futures<F>(mut file: F)
where
    F: futures_io::AsyncRead + futures_io::AsyncWrite + futures_io::AsyncSeek + Unpin,
{
    use futures_io::{
        AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, IoSlice,
    };
    file.write_all(TEXT.as_bytes()).await.unwrap();
    assert_eq!(file.stream_position().await.unwrap(), 14);
    assert_eq!(file.seek(SeekFrom::Start(4)).await.unwrap(), 4);
    let mut word = [0; 3];
    file.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"two");
    assert_eq!(file.seek(SeekFrom::Current(-3)).await.unwrap(), 4);
    // The same seek again is another seek.
    assert_eq!(file.seek(SeekFrom::Current(-3)).await.unwrap(), 1);
    assert_eq!(file.seek(SeekFrom::End(-6)).await.unwrap(), 8);
    let parts = [IoSlice::new(b"T"), IoSlice::new(b"H")];
    let n = file.write_vectored(&parts).await.unwrap();
    assert!((1..=2).contains(&n));
    file.flush().await.unwrap();
    assert!(file.seek(SeekFrom::Current(-100)).await.is_err());
    assert_eq!(file.seek(SeekFrom::Start(0)).await.unwrap(), 0);
    let mut lines = BufReader::new(&mut file);
    let mut line = String::new();
    for expected in ["one\n", "two\n", ["Three\n", "THree\n"][n - 1], ""] {
        line.clear();
        lines.read_line(&mut line).await.unwrap();
        assert_eq!(line, expected);
    }
    assert_eq!(file.read(&mut []).await.unwrap(), 0);
    file.close().await.unwrap();
}

/// What a user of Tokio's traits does with it.
async fn with_tokio<F>(mut file: F)
where
    F: tokio_io::AsyncRead + tokio_io::AsyncWrite + tokio_io::AsyncSeek + Unpin,
{
    use tokio_io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader};
    file.write_all(TEXT.as_bytes()).await.unwrap();
    assert_eq!(file.stream_position().await.unwrap(), 14);
    assert_eq!(file.seek(SeekFrom::Start(4)).await.unwrap(), 4);
    let mut word = [0; 3];
    file.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"two");
    assert_eq!(file.seek(SeekFrom::Current(-3)).await.unwrap(), 4);
    assert_eq!(file.seek(SeekFrom::Current(-3)).await.unwrap(), 1);
    assert_eq!(file.seek(SeekFrom::End(-6)).await.unwrap(), 8);
    file.write_all(b"T").await.unwrap();
    file.flush().await.unwrap();
    assert!(file.seek(SeekFrom::Current(-100)).await.is_err());
    file.rewind().await.unwrap();
    let mut lines = BufReader::new(&mut file).lines();
    for expected in [Some("one"), Some("two"), Some("Three"), None] {
        let line = lines.next_line().await.unwrap();
        assert_eq!(line.as_deref(), expected);
    }
    file.shutdown().await.unwrap();
}

#[test]
fn tokios_file_is_one_of_futures_io() {
    on_each(async || {
        let file = async {
            let file = gmp::task::spawn_blocking(temp_file).await.unwrap();
            tokio::fs::File::from_std(file)
        };
        // A file of Tokio's seeks on its pool: each seek really waits.
        gmp::spawn(async { with_futures(file.compat().await.compat()).await })
            .await
            .unwrap();
    });
}

/// An open file without a name.
fn temp_file() -> std::fs::File {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("gmp-compat-{}-{n}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

#[test]
fn each_kind_becomes_the_other() {
    on_each(async || {
        with_futures(Io::new(std::io::Cursor::new(Vec::new()))).await;
        with_futures(std::io::Cursor::new(Vec::new()).compat()).await;
        with_tokio(Io::new(futures_io::Cursor::new(Vec::new()))).await;
        with_tokio(futures_io::Cursor::new(Vec::new()).compat()).await;
        // There and back.
        let there = Io::new(futures_io::Cursor::new(Vec::new()));
        with_futures(Io::new(there)).await;
    });
}

#[test]
fn buffered_readers_take_no_more_than_they_are_asked() {
    on_each(async || {
        let (mut io, mut line) = (Io::new(TEXT.as_bytes()), String::new());
        let read = futures_io::AsyncBufReadExt::read_line(&mut io, &mut line);
        assert_eq!(read.await.unwrap(), 4);
        let read = tokio_io::AsyncBufReadExt::read_line(&mut io, &mut line);
        assert_eq!(read.await.unwrap(), 4);
        let mut io = io.into_inner().compat();
        let read = futures_io::AsyncBufReadExt::read_line(&mut io, &mut line);
        assert_eq!(read.await.unwrap(), 6);
        assert_eq!(line, TEXT);
    });
}

#[test]
fn the_end_of_a_stream_is_passed_on() {
    on_each(async || {
        use futures_io::{AsyncReadExt, AsyncWriteExt};
        // A pipe of Tokio's with room for little, so that both ends wait.
        let (a, b) = tokio_io::duplex(100);
        let (mut a, mut b) = (Io::new(a), Io::new(b));
        let sent: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let copy = sent.clone();
        let writing = gmp::spawn(async move {
            a.write_all(&copy).await.unwrap();
            a.close().await.unwrap();
            // Closed in one direction alone.
            let mut answer = String::new();
            a.read_to_string(&mut answer).await.unwrap();
            answer
        });
        let mut received = Vec::new();
        b.read_to_end(&mut received).await.unwrap();
        assert!(received == sent, "the bytes differ");
        b.write_all(b"thanks").await.unwrap();
        drop(b);
        assert_eq!(writing.await.unwrap(), "thanks");
    });
}
