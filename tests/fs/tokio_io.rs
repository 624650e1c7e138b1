//! Files by the traits of Tokio.

use gmp::fs::{File, OpenOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, SeekFrom};

use crate::dir::Dir;
use crate::watchdog::within;

#[test]
fn tokios_traits_read_write_and_seek() {
    within(60, || {
        gmp::block_on(async {
            let dir = Dir::new();
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true);
            let mut file = options.open(dir.at("a")).await?;
            file.write_all(b"one\ntwo\nthree\n").await?;
            file.flush().await?;
            assert_eq!(file.seek(SeekFrom::Start(4)).await?, 4);
            assert_eq!(file.stream_position().await?, 4);
            let mut word = [0; 3];
            file.read_exact(&mut word).await?;
            assert_eq!(&word, b"two");
            assert_eq!(file.seek(SeekFrom::End(-6)).await?, 8);
            let mut rest = String::new();
            file.read_to_string(&mut rest).await?;
            assert_eq!(rest, "three\n");
            let before = file.seek(SeekFrom::End(-100)).await;
            assert_eq!(
                before.expect_err("before the file").kind(),
                std::io::ErrorKind::InvalidInput
            );
            assert_eq!(file.stream_position().await?, 14, "and it stays");
            file.rewind().await?;
            let mut lines = BufReader::new(file).lines();
            assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
            let mut copy = File::create(dir.at("b")).await?;
            let mut file = File::open(dir.at("a")).await?;
            assert_eq!(tokio::io::copy(&mut file, &mut copy).await?, 14);
            copy.shutdown().await?;
            assert_eq!(gmp::fs::read(dir.at("b")).await?.len(), 14);
            std::io::Result::Ok(())
        })
        .expect("files");
    });
}
