//! The standard streams of a child.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::process::ChildStdout;

use super::*;

/// Several times what a pipe holds.
const MUCH: usize = 1_000_000;

#[test]
fn both_outputs_are_collected_however_long() {
    on_each(async || {
        let script = format!(
            "head -c {MUCH} /dev/zero; head -c {MUCH} /dev/zero >&2; \
             head -c {MUCH} /dev/zero; echo end; echo over >&2; exit 9"
        );
        let output = sh(&script).output().await.unwrap();
        assert_eq!(output.status.code(), Some(9));
        assert_eq!(output.stdout.len(), 2 * MUCH + 4);
        assert_eq!(output.stderr.len(), MUCH + 5);
        assert!(output.stdout.ends_with(b"\0end\n"));
        assert!(output.stderr.ends_with(b"\0over\n"));
    });
}

#[test]
fn what_goes_in_comes_out_in_order() {
    on_each(async || {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        let sent: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
        let wanted = sent.clone();
        let writer = gmp::spawn(async move {
            stdin.write_all(&sent).await.unwrap();
            stdin.flush().await.unwrap();
        });
        let output = child.wait_with_output().await.unwrap();
        writer.await.unwrap();
        assert!(output.status.success());
        assert!(output.stdout == wanted, "{} bytes", output.stdout.len());
    });
}

#[test]
fn question_and_answer_alternate() {
    on_each(async || {
        let mut child = cat();
        let stdout = child.stdout.as_mut().unwrap();
        let stdin = child.stdin.as_mut().unwrap();
        for n in 0..100_u32 {
            stdin.write_all(&n.to_le_bytes()).await.unwrap();
            let mut answer = [0; 4];
            stdout.read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_le_bytes(answer), n);
        }
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn several_buffers_go_in_one_call() {
    on_each(async || {
        let mut child = cat();
        let stdin = child.stdin.as_mut().unwrap();
        let bufs = [b"one".as_slice(), b"", b"two"].map(std::io::IoSlice::new);
        assert_eq!(stdin.write_vectored(&bufs).await.unwrap(), 6);
        let (mut head, mut tail) = ([0; 4], [0; 4]);
        let mut bufs = [&mut head, &mut tail].map(|buf| std::io::IoSliceMut::new(buf));
        let stdout = child.stdout.as_mut().unwrap();
        assert_eq!(stdout.read_vectored(&mut bufs).await.unwrap(), 6);
        assert_eq!((&head, &tail), (b"onet", b"wo\0\0"));
    });
}

#[test]
fn a_read_that_is_given_up_loses_nothing() {
    on_each(async || {
        let mut child = cat();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut buf = [0; 16];
        for _ in 0..10 {
            assert!(futures::poll!(stdout.read(&mut buf)).is_pending());
        }
        stdin.write_all(b"kept").await.unwrap();
        assert_eq!(stdout.read(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"kept");
    });
}

#[test]
fn an_output_may_end_before_its_child() {
    on_each(async || {
        let mut child = sh("echo last; exec >&-; read line; exit 7")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut text = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        stdout.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last\n");
        assert!(child.try_wait().unwrap().is_none(), "its input is open");
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
    });
}

#[test]
fn an_input_that_nobody_reads_is_a_broken_pipe() {
    on_each(async || {
        let mut child = sh("exit 0").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        assert!(child.wait().await.unwrap().success());
        // The child of another test may have a copy of the other end until it execs.
        let error = loop {
            match stdin.write_all(b"?").await {
                Ok(()) => gmp::time::sleep(Duration::from_millis(1)).await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_writer_that_waits_hears_of_the_end_of_the_reader() {
    on_each(async || {
        let mut child = sh("read line").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = gmp::spawn(async move { stdin.write_all(&vec![0; MUCH]).await });
        gmp::task::yield_now().await;
        child.kill().await.unwrap();
        let error = writer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_closed_input_is_the_end_of_it() {
    on_each(async || {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"bye").await.unwrap();
        stdin.close().await.unwrap();
        let mut heard = Vec::new();
        let stdout = child.stdout.as_mut().unwrap();
        stdout.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"bye");
        stdin.close().await.unwrap();
        let error = stdin.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let error = stdin.into_owned_fd().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn children_can_be_chained() {
    on_each(async || {
        let mut first = cat();
        let out: Stdio = first.stdout.take().unwrap().try_into().unwrap();
        let second = Command::new("tr").args(["a-z", "A-Z"]).stdin(out).output();
        let stdin = first.stdin.as_mut().unwrap();
        stdin.write_all(b"chained").await.unwrap();
        assert!(first.wait().await.unwrap().success());
        assert_eq!(second.await.unwrap().stdout, b"CHAINED");
    });
}

#[test]
fn descriptors_come_and_go() {
    on_each(async || {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        let stdout = child.stdout.take().unwrap();
        assert_eq!(stdout.as_fd().as_raw_fd(), stdout.as_raw_fd());
        let blocking = |fd: BorrowedFd<'_>| {
            let info = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
            let info = std::fs::read_to_string(info).unwrap();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
            flags & libc::O_NONBLOCK == 0
        };
        assert!(!blocking(stdout.as_fd()));
        let fd = stdout.into_owned_fd().unwrap();
        assert!(blocking(fd.as_fd()));
        let mut stdout = ChildStdout::from_std(fd.into()).unwrap();
        assert!(!blocking(stdout.as_fd()));
        stdin.write_all(b"still").await.unwrap();
        let mut heard = [0; 5];
        stdout.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"still");
    });
}

#[test]
fn streams_that_are_not_pipes_are_not_there() {
    on_each(async || {
        let mut child = sh("exit 0").stdout(Stdio::null()).spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        let output = child.wait_with_output().await.unwrap();
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        child = sh("exit 0").stderr(Stdio::piped()).spawn().unwrap();
        assert!(child.stderr.is_some());
        assert!(child.wait().await.unwrap().success());
    });
}
