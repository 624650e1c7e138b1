//! Pipes, with a name and without.
#![cfg(unix)]

use std::fs::{self, File};
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::io::Interest;
use gmp::net::unix::pipe::{self, OpenOptions, Receiver, Sender};

#[path = "support/dir.rs"]
mod dir;
#[path = "support/on_1_and_4.rs"]
mod on_1_and_4;
#[path = "support/watchdog.rs"]
mod watchdog;

use dir::Dir;
use on_1_and_4::on_1_and_4;

/// A directory with a named pipe and a file.
struct Pipe(Dir);

impl Pipe {
    fn new() -> Pipe {
        let dir = Pipe(Dir::new());
        let made = Command::new("mkfifo").arg(dir.fifo()).status();
        assert!(made.expect("mkfifo is there").success());
        fs::write(dir.file(), "a file").expect("written");
        dir
    }

    fn fifo(&self) -> PathBuf {
        self.0.at("fifo")
    }

    fn file(&self) -> PathBuf {
        self.0.at("file")
    }
}

fn sender(path: &Path) -> Sender {
    OpenOptions::new().open_sender(path).expect("a receiver")
}

fn receiver(path: &Path) -> Receiver {
    OpenOptions::new().open_receiver(path).expect("a pipe")
}

async fn read(rx: &mut Receiver, n: usize) -> Vec<u8> {
    let mut buf = vec![0; n];
    rx.read_exact(&mut buf).await.expect("so many come");
    buf
}

/// More than a pipe holds: both ends wait for each other again and again.
#[test]
fn many_bytes_go_through_in_order() {
    on_1_and_4(|rt| {
        let (mut tx, mut rx) = rt.block_on(async { pipe::pipe() }).expect("a pipe");
        let sent: Vec<u8> = (0..1_000_003_u32)
            .map(|n| n.to_le_bytes()[n as usize % 3])
            .collect();
        let bytes = sent.clone();
        let writer = rt.spawn(async move { tx.write_all(&bytes).await });
        let reader = rt.spawn(async move {
            let mut all = Vec::new();
            rx.read_to_end(&mut all).await.map(|_| all)
        });
        rt.block_on(writer).expect("no panic").expect("written");
        let got = rt.block_on(reader).expect("no panic").expect("read");
        assert!(got == sent, "{} of {}", got.len(), sent.len());
    });
}

#[test]
fn a_sender_without_a_receiver_gets_broken_pipe() {
    on_1_and_4(|rt| {
        rt.block_on(async {
            let (mut tx, rx) = pipe::pipe().expect("a pipe");
            while tx.try_write(&[0; 4096]).is_ok() {}
            let full = tx.try_write(&[0; 4096]).expect_err("full");
            assert_eq!(full.kind(), ErrorKind::WouldBlock);
            let waits = gmp::spawn(async move {
                let result = tx.write_all(&[0; 4096]).await;
                (result.expect_err("nobody receives").kind(), tx)
            });
            gmp::task::yield_now().await;
            drop(rx);
            let (kind, tx) = waits.await.expect("no panic");
            assert_eq!(kind, ErrorKind::BrokenPipe);
            let error = tx.try_write(b"x").expect_err("nobody receives");
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        });
    });
}

#[test]
fn both_ends_can_be_tried_and_asked() {
    on_1_and_4(|rt| {
        rt.block_on(async {
            let (tx, rx) = pipe::pipe().expect("a pipe");
            let mut buf = [0; 8];
            let nothing = rx.try_read(&mut buf).expect_err("nothing yet");
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
            tx.writable().await.expect("empty");
            poll_fn(|cx| tx.poll_write_ready(cx)).await.expect("empty");
            let parts = [IoSlice::new(b"one"), IoSlice::new(b"two")];
            assert_eq!(tx.try_write_vectored(&parts).expect("room"), 6);
            rx.readable().await.expect("bytes");
            poll_fn(|cx| rx.poll_read_ready(cx)).await.expect("bytes");
            assert!(
                rx.ready(Interest::READABLE)
                    .await
                    .expect("bytes")
                    .is_readable()
            );
            let (one, two) = buf.split_at_mut(4);
            let mut parts = [IoSliceMut::new(one), IoSliceMut::new(two)];
            assert_eq!(rx.try_read_vectored(&mut parts).expect("bytes"), 6);
            assert_eq!(&buf[..6], b"onetwo");
            drop(tx);
            rx.readable().await.expect("the end");
            assert_eq!(rx.try_read(&mut buf).expect("the end"), 0);
        });
    });
}

#[test]
fn a_deadline_ends_a_wait() {
    on_1_and_4(|rt| {
        rt.block_on(async {
            let (_tx, mut rx) = pipe::pipe().expect("a pipe");
            rx.set_read_deadline(Some(gmp::time::Instant::now() + Duration::from_millis(1)));
            let error = rx.read(&mut [0; 8]).await.expect_err("nobody sends");
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        });
    });
}

/// A pipe with a name has an end each time when its last sender goes; whoever comes
/// later is heard all the same.
#[test]
fn a_receiver_hears_one_sender_after_the_other() {
    on_1_and_4(|rt| {
        let dir = Pipe::new();
        rt.block_on(async {
            let mut rx = receiver(&dir.fifo());
            for round in 0..20_u8 {
                let mut tx = sender(&dir.fifo());
                tx.write_all(&[round, 1]).await.expect("written");
                assert_eq!(read(&mut rx, 2).await, [round, 1]);
                // It waits, with a sender that is there.
                let waits = gmp::spawn(async move {
                    let got = read(&mut rx, 2).await;
                    let end = rx.read(&mut [0; 8]).await.expect("the end");
                    (got, end, rx)
                });
                gmp::task::yield_now().await;
                tx.write_all(&[round, 2]).await.expect("written");
                drop(tx);
                let (got, end, same) = waits.await.expect("no panic");
                assert_eq!((got, end), (vec![round, 2], 0));
                rx = same;
            }
        });
    });
}

/// The wait for the second sender is one, though the first has hung up.
#[test]
fn a_read_waits_again_after_a_hang_up() {
    on_1_and_4(|rt| {
        let dir = Pipe::new();
        rt.block_on(async {
            let mut rx = receiver(&dir.fifo());
            drop(sender(&dir.fifo()));
            assert_eq!(rx.read(&mut [0; 8]).await.expect("the end"), 0);
            let second = sender(&dir.fifo());
            let empty = rx.try_read(&mut [0; 8]).expect_err("nothing yet");
            assert_eq!(empty.kind(), ErrorKind::WouldBlock);
            let waits = gmp::spawn(async move { read(&mut rx, 5).await });
            gmp::task::yield_now().await;
            assert!(!waits.is_finished());
            assert_eq!(second.try_write(b"later").expect("room"), 5);
            assert_eq!(waits.await.expect("no panic"), b"later");
        });
    });
}

#[cfg(target_os = "linux")]
#[test]
fn one_that_is_open_both_ways_needs_nobody_else() {
    on_1_and_4(|rt| {
        let dir = Pipe::new();
        rt.block_on(async {
            let mut both = OpenOptions::new();
            both.read_write(true);
            let mut tx = both.open_sender(dir.fifo()).expect("its own receiver");
            tx.write_all(b"kept").await.expect("written");
            let mut rx = both.open_receiver(dir.fifo()).expect("a pipe");
            assert_eq!(read(&mut rx, 4).await, b"kept");
            drop(tx);
            // No end: it is a sender itself.
            let empty = rx.try_read(&mut [0; 8]).expect_err("nothing");
            assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        });
    });
}

#[test]
fn what_is_no_pipe_or_open_the_other_way_is_refused() {
    let dir = Pipe::new();
    let refused =
        |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let options = OpenOptions::new();
    let alone = options
        .open_sender(dir.fifo())
        .expect_err("nobody receives");
    assert_eq!(alone.raw_os_error(), Some(libc::ENXIO));
    refused(options.open_receiver(dir.file()).expect_err("a file"));
    refused(options.open_sender(dir.file()).expect_err("a file"));
    let missing = options
        .open_receiver(dir.0.at("none"))
        .expect_err("nothing");
    assert_eq!(missing.kind(), ErrorKind::NotFound);

    let rx = receiver(&dir.fifo());
    let tx = sender(&dir.fifo());
    let (rx, tx) = (
        rx.into_nonblocking_fd().expect("open"),
        tx.into_nonblocking_fd().expect("open"),
    );
    let (rx2, tx2) = (
        rx.try_clone().expect("a copy"),
        tx.try_clone().expect("a copy"),
    );
    refused(Sender::from_owned_fd(rx).expect_err("it receives"));
    refused(Receiver::from_owned_fd(tx).expect_err("it sends"));
    refused(Receiver::from_file(File::open(dir.file()).expect("a file")).expect_err("a file"));
    let (mut rx, tx) = (
        Receiver::from_owned_fd(rx2).expect("it does"),
        Sender::from_owned_fd(tx2).expect("it does"),
    );
    assert_eq!(tx.try_write(b"abc").expect("room"), 3);
    assert_eq!(gmp::block_on(read(&mut rx, 3)), b"abc");
}

/// What a child gets blocks, or the child would fail where nobody expects it.
#[cfg(target_os = "linux")]
#[test]
fn a_descriptor_for_others_blocks() {
    fn blocks(fd: &impl AsRawFd) -> bool {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()));
        let info = info.expect("Linux tells");
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = i32::from_str_radix(flags.expect("flags").trim(), 8).expect("octal");
        flags & libc::O_NONBLOCK == 0
    }
    gmp::block_on(async {
        let (tx, mut rx) = pipe::pipe().expect("a pipe");
        assert!(!blocks(&tx) && !blocks(&rx));
        let fd = tx.into_blocking_fd().expect("open");
        assert!(blocks(&fd));
        let child = Command::new("echo")
            .arg("hello")
            .stdout(Stdio::from(fd))
            .spawn();
        let mut text = String::new();
        rx.read_to_string(&mut text).await.expect("read");
        assert_eq!(text, "hello\n");
        assert!(child.expect("echo").wait().expect("it ends").success());
        assert!(!blocks(&rx.into_nonblocking_fd().expect("open")));
    });
}

#[test]
fn a_sender_of_std_and_a_receiver_of_ours() {
    on_1_and_4(|rt| {
        let dir = Pipe::new();
        let path = dir.fifo();
        let (mut rx, _kept) = rt.block_on(async { (receiver(&path), sender(&path)) });
        let thread = std::thread::spawn(move || {
            let mut file = File::options().write(true).open(path).expect("a receiver");
            file.write_all(b"from a thread").expect("written");
        });
        let got = rt.block_on(async { read(&mut rx, 13).await });
        assert_eq!(got, b"from a thread");
        thread.join().expect("no panic");
    });
}

#[cfg(feature = "tokio-io")]
#[test]
fn tokio_copies_from_one_pipe_to_the_next() {
    on_1_and_4(|rt| {
        rt.block_on(async {
            let ((tx, mut middle), (mut last, mut rx)) =
                (pipe::pipe().expect("a pipe"), pipe::pipe().expect("a pipe"));
            tx.try_write(b"by way of two").expect("room");
            drop(tx);
            let copied = tokio::io::copy(&mut middle, &mut last).await;
            assert_eq!(copied.expect("both are open"), 13);
            assert_eq!(read(&mut rx, 13).await, b"by way of two");
        });
    });
}
