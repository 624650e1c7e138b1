//! The standard streams, each test in a process of its own that runs it again as
//! the child.

#[path = "support/watchdog.rs"]
mod watchdog;

use std::io::{ErrorKind, IoSlice};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use futures::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use gmp::io::{stderr, stdin, stdout};
use gmp::net::UnixStream;
use gmp::process::{Child, Command};
use gmp::runtime::{Builder, Runtime};

use watchdog::within;

/// Several times what a pipe holds.
const MUCH: usize = 1_000_000;
const CHILD: &str = "GMP_TEST_STDIO_CHILD";
const PROCS: &str = "GMP_TEST_STDIO_PROCS";

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// The test `name` of this binary, to be started as the child.
fn again(name: &str, procs: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .env(PROCS, procs.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs both parts of the test `name`, in two processes, on 1 and on 2 Ps.
#[track_caller]
fn play(
    name: &'static str,
    child: impl FnOnce(Runtime) + Send + 'static,
    parent: impl AsyncFn(Command) + Copy + Send + 'static,
) {
    if std::env::var(CHILD).is_ok_and(|wanted| wanted == name) {
        let procs = std::env::var(PROCS).expect("set by the parent");
        let procs = procs.parse().expect("a number");
        return within(30, move || child(runtime(procs)));
    }
    for procs in [1, 2] {
        within(60, move || {
            runtime(procs).block_on(parent(again(name, procs)))
        });
    }
}

/// What the child has written when it ends, which must be a success.
async fn end(child: Child) -> (String, String) {
    let output = child.wait_with_output().await.expect("its end");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {out}{err}", output.status);
    (out, err)
}

/// Reads until `mark` has come.
async fn hear(from: &mut (impl AsyncRead + Unpin), mark: &str) {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(mark) {
        let mut byte = [0];
        let n = from.read(&mut byte).await.expect("bytes");
        let text = String::from_utf8_lossy(&heard);
        assert!(n > 0, "no {mark} in {text}");
        heard.push(byte[0]);
    }
}

#[test]
fn input_is_read_to_its_end() {
    play(
        "input_is_read_to_its_end",
        |rt| {
            rt.block_on(async {
                let mut all = Vec::new();
                stdin().read_to_end(&mut all).await.unwrap();
                assert!((0..MUCH).map(|n| (n % 251) as u8).eq(all));
                assert_eq!(stdin().read(&mut [0; 8]).await.unwrap(), 0);
            });
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            let all: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
            let mut input = child.stdin.take().unwrap();
            input.write_all(&all).await.unwrap();
            drop(input);
            end(child).await;
        },
    );
}

#[test]
fn a_read_that_is_given_up_takes_nothing() {
    play(
        "a_read_that_is_given_up_takes_nothing",
        |rt| {
            rt.block_on(async {
                let mut buf = [0; 16];
                let mut input = stdin();
                for _ in 0..10 {
                    assert!(futures::poll!(input.read(&mut buf)).is_pending());
                    assert!(futures::poll!(stdin().read(&mut buf)).is_pending());
                }
                stderr().write_all(b"<given up>").await.unwrap();
                assert_eq!(stdin().read(&mut buf).await.unwrap(), 4);
                assert_eq!(&buf[..4], b"kept");
                // The other handle has not seen it.
                assert!(futures::poll!(input.read(&mut buf)).is_pending());
                stderr().write_all(b"<read>").await.unwrap();
                assert_eq!(input.read(&mut buf).await.unwrap(), 4);
                assert_eq!(&buf[..4], b"more");
            });
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            let errors = child.stderr.as_mut().unwrap();
            hear(errors, "<given up>").await;
            let input = child.stdin.as_mut().unwrap();
            input.write_all(b"kept").await.unwrap();
            hear(errors, "<read>").await;
            input.write_all(b"more").await.unwrap();
            end(child).await;
        },
    );
}

#[test]
fn others_run_and_the_descriptor_stays_blocking_while_a_read_waits() {
    play(
        "others_run_and_the_descriptor_stays_blocking_while_a_read_waits",
        |rt| {
            rt.block_on(async {
                let reader = gmp::spawn(async {
                    let mut text = String::new();
                    stdin().read_to_string(&mut text).await.unwrap();
                    text
                });
                for _ in 0..20 {
                    gmp::time::sleep(Duration::from_millis(1)).await;
                }
                let info = std::fs::read_to_string("/proc/self/fdinfo/0").unwrap();
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
                assert_eq!(flags & libc::O_NONBLOCK, 0);
                assert!(!reader.is_finished());
                stderr().write_all(b"<others ran>").await.unwrap();
                assert_eq!(reader.await.unwrap(), "at last");
            });
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            hear(child.stderr.as_mut().unwrap(), "<others ran>").await;
            let input = child.stdin.as_mut().unwrap();
            input.write_all(b"at last").await.unwrap();
            end(child).await;
        },
    );
}

#[test]
fn a_read_that_waits_does_not_hold_up_the_end_of_a_runtime() {
    play(
        "a_read_that_waits_does_not_hold_up_the_end_of_a_runtime",
        |rt| {
            let mut input = stdin();
            rt.block_on(async {
                assert!(futures::poll!(input.read(&mut [0; 8])).is_pending());
            });
            drop(rt.spawn(async { stdin().read(&mut [0; 8]).await }));
            drop(rt);
            let error = gmp::block_on(input.read(&mut [0; 8])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Other);
            eprint!("<over>");
            let mut buf = [0; 8];
            assert_eq!(gmp::block_on(stdin().read(&mut buf)).unwrap(), 5);
            assert_eq!(&buf[..5], b"still");
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            hear(child.stderr.as_mut().unwrap(), "<over>").await;
            let input = child.stdin.as_mut().unwrap();
            input.write_all(b"still").await.unwrap();
            end(child).await;
        },
    );
}

#[test]
fn several_readers_get_each_byte_once() {
    play(
        "several_readers_get_each_byte_once",
        |rt| {
            rt.block_on(async {
                let readers: Vec<_> = (0..4)
                    .map(|_| {
                        gmp::spawn(async {
                            let (mut input, mut byte, mut seen) = (stdin(), [0], [0_u32; 256]);
                            while input.read(&mut byte).await.unwrap() > 0 {
                                seen[usize::from(byte[0])] += 1;
                            }
                            seen
                        })
                    })
                    .collect();
                let mut sum = [0; 256];
                for reader in readers {
                    let seen = reader.await.unwrap();
                    sum.iter_mut().zip(seen).for_each(|(sum, n)| *sum += n);
                }
                assert_eq!(sum, [40; 256]);
            });
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            for _ in 0..40 {
                let all: Vec<u8> = (0..=255).collect();
                input.write_all(&all).await.unwrap();
                gmp::task::yield_now().await;
            }
            drop(input);
            end(child).await;
        },
    );
}

#[test]
fn a_file_a_device_and_a_socket_are_inputs_too() {
    play(
        "a_file_a_device_and_a_socket_are_inputs_too",
        |rt| {
            let mut text = String::new();
            rt.block_on(stdin().read_to_string(&mut text)).unwrap();
            eprint!("<{}>", text.len());
        },
        async |mut command| {
            let exe = std::env::current_exe().unwrap();
            let file = exe.with_file_name(format!("stdio-{}", std::process::id()));
            std::fs::write(&file, vec![b'x'; 100_000]).unwrap();
            command.stdin(Stdio::from(std::fs::File::open(&file).unwrap()));
            std::fs::remove_file(&file).unwrap();
            let (_, errors) = end(command.spawn().unwrap()).await;
            assert!(errors.contains("<100000>"), "{errors}");

            command.stdin(Stdio::null());
            let (_, errors) = end(command.spawn().unwrap()).await;
            assert!(errors.contains("<0>"), "{errors}");

            let (mut near, far) = UnixStream::pair().unwrap();
            let far = OwnedFd::from(far.into_std().unwrap());
            command.stdin(Stdio::from(far));
            let child = command.spawn().unwrap();
            near.write_all(b"by socket").await.unwrap();
            near.close().await.unwrap();
            let (_, errors) = end(child).await;
            assert!(errors.contains("<9>"), "{errors}");
        },
    );
}

#[test]
fn output_keeps_its_order_with_print() {
    play(
        "output_keeps_its_order_with_print",
        |rt| {
            rt.block_on(async {
                let mut out = stdout();
                out.write_all(b"<1").await.unwrap();
                print!("2");
                out.write_all(b"3\n").await.unwrap();
                println!("4");
                let bufs = [b"5".as_slice(), b"", b"6"].map(IoSlice::new);
                assert_eq!(out.write_vectored(&bufs).await.unwrap(), 2);
                gmp::spawn(async { stdout().write_all(b"7>").await })
                    .await
                    .unwrap()
                    .unwrap();
                out.close().await.unwrap();
                out.write_all(b"<open>").await.unwrap();
                out.flush().await.unwrap();
            });
        },
        async |mut command| {
            let (out, _) = end(command.spawn().unwrap()).await;
            assert!(out.contains("<123\n4\n567><open>"), "{out}");
        },
    );
}

#[test]
fn output_without_a_flush_comes_with_the_exit() {
    play(
        "output_without_a_flush_comes_with_the_exit",
        |rt| {
            rt.block_on(async {
                stdout().write_all(b"<unfinished").await.unwrap();
                std::process::exit(0);
            });
        },
        async |mut command| {
            let (out, _) = end(command.spawn().unwrap()).await;
            assert!(out.ends_with("<unfinished"), "{out}");
        },
    );
}

#[test]
fn others_run_while_a_write_waits_for_its_reader() {
    play(
        "others_run_while_a_write_waits_for_its_reader",
        |rt| {
            rt.block_on(async {
                let writer = gmp::spawn(async {
                    let mut out = stdout();
                    out.write_all(&vec![b'x'; MUCH]).await.unwrap();
                    out.flush().await.unwrap();
                });
                for _ in 0..20 {
                    gmp::time::sleep(Duration::from_millis(1)).await;
                }
                assert!(!writer.is_finished());
                stderr().write_all(b"<others ran>").await.unwrap();
                writer.await.unwrap();
            });
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            hear(child.stderr.as_mut().unwrap(), "<others ran>").await;
            let (out, _) = end(child).await;
            assert_eq!(out.matches('x').count(), MUCH);
        },
    );
}

#[test]
fn streams_that_do_not_block_are_waited_for() {
    play(
        "streams_that_do_not_block_are_waited_for",
        |rt| {
            rt.block_on(async {
                let mut all = vec![0; MUCH];
                stdin().read_exact(&mut all).await.unwrap();
                stdout().write_all(&all).await.unwrap();
                stdout().flush().await.unwrap();
            });
        },
        async |mut command| {
            let (near, far) = UnixStream::pair().unwrap();
            // It stays in non-blocking mode, for the child as well.
            let far = OwnedFd::from(far.into_std().unwrap());
            command.stdin(Stdio::from(far.try_clone().unwrap()));
            command.stdout(Stdio::from(far));
            let child = command.spawn().unwrap();
            drop(command);
            let (mut from, mut to) = near.into_split();
            let writer = gmp::spawn(async move {
                to.write_all(&vec![7; MUCH]).await.unwrap();
                to
            });
            let mut all = Vec::new();
            from.read_to_end(&mut all).await.unwrap();
            assert_eq!(all.iter().filter(|&&byte| byte == 7).count(), MUCH);
            drop(writer.await.unwrap());
            end(child).await;
        },
    );
}

#[test]
fn an_output_without_a_reader_is_a_broken_pipe() {
    play(
        "an_output_without_a_reader_is_a_broken_pipe",
        |rt| {
            rt.block_on(async {
                stderr().write_all(b"<begun>").await.unwrap();
                assert_eq!(stdin().read(&mut [0; 8]).await.unwrap(), 0);
                let write = async {
                    stdout().write_all(b"anybody?\n").await?;
                    stdout().flush().await
                };
                assert_eq!(write.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
                stderr().write_all(b"<nobody>").await.unwrap();
                std::process::exit(0);
            });
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            hear(child.stderr.as_mut().unwrap(), "<begun>").await;
            drop(child.stdout.take());
            drop(child.stdin.take());
            let (_, errors) = end(child).await;
            assert!(errors.contains("<nobody>"), "{errors}");
        },
    );
}

#[test]
fn tokios_traits_read_and_write_as_well() {
    play(
        "tokios_traits_read_and_write_as_well",
        |rt| {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut text = String::new();
            rt.block_on(async {
                AsyncReadExt::read_to_string(&mut stdin(), &mut text)
                    .await
                    .unwrap();
                let mut out = stdout();
                AsyncWriteExt::write_all(&mut out, text.as_bytes())
                    .await
                    .unwrap();
                AsyncWriteExt::flush(&mut out).await.unwrap();
                AsyncWriteExt::shutdown(&mut out).await.unwrap();
                AsyncWriteExt::write_all(&mut stderr(), b"<done>")
                    .await
                    .unwrap();
            });
        },
        async |mut command| {
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(b"<there and back>").await.unwrap();
            drop(input);
            let (out, errors) = end(child).await;
            assert!(out.contains("<there and back>"), "{out}");
            assert!(errors.contains("<done>"), "{errors}");
        },
    );
}
