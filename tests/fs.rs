//! `gmp::fs` does what `std::fs` does, and holds up nobody meanwhile.

#[path = "support/dir.rs"]
mod dir;
#[cfg(feature = "tokio-io")]
#[path = "fs/tokio_io.rs"]
mod tokio_io;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::fs as std_fs;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
use futures::{StreamExt, TryStreamExt};
use gmp::fs::{self, File, OpenOptions};
use gmp::runtime::Builder;

use dir::Dir;
use watchdog::within;

#[test]
fn free_functions_do_as_their_namesakes() {
    within(60, || {
        gmp::block_on(async {
            let dir = Dir::new();
            fs::write(dir.at("a"), b"one").await?;
            assert_eq!(std_fs::read(dir.at("a"))?, b"one");
            assert_eq!(fs::read(dir.at("a")).await?, b"one");
            assert_eq!(fs::read_to_string(dir.at("a")).await?, "one");
            assert_eq!(fs::metadata(dir.at("a")).await?.len(), 3);
            assert_eq!(fs::copy(dir.at("a"), dir.at("b")).await?, 3);
            fs::rename(dir.at("b"), dir.at("c")).await?;
            assert!(!fs::try_exists(dir.at("b")).await?);
            assert!(fs::try_exists(dir.at("c")).await?);
            fs::hard_link(dir.at("c"), dir.at("d")).await?;
            fs::symlink(dir.at("c"), dir.at("e")).await?;
            assert_eq!(fs::read_link(dir.at("e")).await?, dir.at("c"));
            assert!(fs::symlink_metadata(dir.at("e")).await?.is_symlink());
            let whole = std_fs::canonicalize(dir.at("c"))?;
            assert_eq!(fs::canonicalize(dir.at("e")).await?, whole);
            fs::set_permissions(dir.at("c"), fs::Permissions::from_mode(0o400)).await?;
            assert_eq!(
                fs::metadata(dir.at("c")).await?.permissions().mode() & 0o777,
                0o400
            );
            fs::create_dir(dir.at("f")).await?;
            fs::create_dir_all(dir.at("f/g/h")).await?;
            fs::DirBuilder::new()
                .mode(0o700)
                .create(dir.at("i"))
                .await?;
            fs::remove_dir(dir.at("i")).await?;
            fs::remove_dir_all(dir.at("f")).await?;
            fs::remove_file(dir.at("e")).await?;
            let mut left: Vec<_> = fs::read_dir(dir.at(""))
                .await?
                .map_ok(|entry| entry.file_name())
                .try_collect()
                .await?;
            left.sort();
            assert_eq!(left, ["a", "c", "d"]);
            io::Result::Ok(())
        })
        .expect("no error");
    });
}

#[test]
fn errors_are_those_of_std() {
    within(60, || {
        gmp::block_on(async {
            let dir = Dir::new();
            let gone = dir.at("gone");
            let kind = |result: io::Result<()>| result.expect_err("it cannot be").kind();
            assert_eq!(kind(fs::read(&gone).await.map(drop)), ErrorKind::NotFound);
            assert_eq!(
                kind(fs::metadata(&gone).await.map(drop)),
                ErrorKind::NotFound
            );
            assert_eq!(
                kind(fs::read_dir(&gone).await.map(drop)),
                ErrorKind::NotFound
            );
            assert_eq!(kind(File::open(&gone).await.map(drop)), ErrorKind::NotFound);
            assert_eq!(
                kind(fs::create_dir(dir.at("")).await),
                ErrorKind::AlreadyExists
            );
            fs::write(&gone, [0xff]).await.expect("written");
            assert_eq!(
                kind(fs::read_to_string(&gone).await.map(drop)),
                ErrorKind::InvalidData
            );
            assert_eq!(
                kind(File::create_new(&gone).await.map(drop)),
                ErrorKind::AlreadyExists
            );
            assert_eq!(kind(fs::remove_dir(&gone).await), ErrorKind::NotADirectory);
        });
    });
}

#[test]
fn files_read_write_and_seek() {
    within(60, || {
        gmp::block_on(async {
            let dir = Dir::new();
            let mut file = File::create_new(dir.at("f")).await?;
            file.write_all(b"0123456789").await?;
            let n = file
                .write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cd")])
                .await?;
            assert_eq!(n, 4);
            assert_eq!(file.seek(SeekFrom::Start(8)).await?, 8);
            let mut rest = String::new();
            // A shared file reads as well.
            (&file).read_to_string(&mut rest).await?;
            assert_eq!(rest, "89abcd");
            file.set_len(4).await?;
            file.sync_all().await?;
            file.sync_data().await?;
            assert_eq!(file.metadata().await?.len(), 4);
            let mut other = file.try_clone().await?;
            other.seek(SeekFrom::Start(1)).await?;
            let mut two = [0; 2];
            file.read_exact(&mut two).await?;
            assert_eq!(&two, b"12");
            file.close().await?;
            let mut log = OpenOptions::new().append(true).open(dir.at("f")).await?;
            log.write_all(b"!").await?;
            assert_eq!(fs::read(dir.at("f")).await?, b"0123!");
            let emptied = File::options()
                .write(true)
                .truncate(true)
                .open(dir.at("f"))
                .await?;
            assert_eq!(emptied.into_std().await.metadata()?.len(), 0);
            io::Result::Ok(())
        })
        .expect("no error");
    });
}

#[test]
fn a_directory_gives_its_entries_one_by_one() {
    within(60, || {
        gmp::block_on(async {
            let dir = Dir::new();
            for n in 0..300 {
                fs::write(dir.at(&n.to_string()), [])
                    .await
                    .expect("written");
            }
            let mut entries = fs::read_dir(dir.at("")).await.expect("there");
            let mut seen = 0;
            while let Some(entry) = entries.next_entry().await.expect("read") {
                assert!(entry.file_type().await.expect("known").is_file());
                assert_eq!(entry.metadata().await.expect("known").len(), 0);
                assert_eq!(entry.path(), dir.at("").join(entry.file_name()));
                seen += 1;
            }
            assert_eq!(seen, 300);
            assert!(entries.next().await.is_none());
        });
    });
}

/// The only P goes on while a call waits in the kernel: the reader of a named pipe
/// waits for a writer that runs on the same P.
#[test]
fn a_call_that_blocks_keeps_nobody_from_running() {
    within(60, || {
        let dir = Dir::new();
        let pipe = dir.at("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo is there").success());
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let text = rt.block_on(async {
            let read = gmp::spawn({
                let pipe = pipe.clone();
                async move { fs::read_to_string(pipe).await }
            });
            let write = gmp::spawn(async move {
                let mut file = OpenOptions::new().write(true).open(pipe).await?;
                file.write_all(b"through").await
            });
            write.await.expect("no panic").expect("written");
            read.await.expect("no panic").expect("read")
        });
        assert_eq!(text, "through");
    });
}

/// The futures are `Send`, and a loop of calls that never wait is preempted.
#[test]
fn a_loop_of_calls_gives_way() {
    within(60, || {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let dir = Dir::new();
        let path = dir.at("f");
        std_fs::write(&path, "x").expect("written");
        let stop = Arc::new(AtomicBool::new(false));
        rt.block_on(async {
            let looping = gmp::spawn({
                let stop = stop.clone();
                async move {
                    while !stop.load(Ordering::Relaxed) {
                        fs::read(&path).await.expect("read");
                    }
                }
            });
            gmp::spawn(async move { stop.store(true, Ordering::Relaxed) })
                .await
                .expect("no panic");
            looping.await.expect("no panic");
        });
    });
}

#[test]
fn it_works_on_any_thread() {
    within(60, || {
        let text = futures::executor::block_on(fs::read_to_string("/proc/self/stat"));
        assert!(!text.expect("Linux").is_empty());
    });
}
