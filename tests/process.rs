//! Children: their ends, their pipes, and what is left of those that nobody
//! waits for.

#[path = "support/child.rs"]
mod child;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "process/orphans.rs"]
mod orphans;
#[path = "support/own_process.rs"]
mod own_process;
#[path = "process/pipes.rs"]
mod pipes;
#[path = "process/shortage.rs"]
mod shortage;
#[path = "process/tokio_io.rs"]
mod tokio_io;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;

use futures::io::AsyncReadExt;
use gmp::process::{Child, Command};
use gmp::runtime::{Builder, Runtime};
use gmp::sync::Mutex;

use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Runs `test` on 1 and on 2 Ps, within 60 seconds each.
#[track_caller]
fn on_each(test: impl AsyncFn() + Copy + Send + 'static) {
    for procs in [1, 2] {
        within(60, move || runtime(procs).block_on(test()));
    }
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A program that ends with its input.
fn cat() -> Child {
    Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cat")
}

fn in_proc(pid: u32) -> bool {
    std::fs::exists(format!("/proc/{pid}")).expect("Linux")
}

#[test]
fn the_exit_code_is_told() {
    on_each(async || {
        for code in [0, 1, 3, 255] {
            let status = sh(&format!("exit {code}")).status().await.unwrap();
            assert_eq!(status.code(), Some(code));
            assert_eq!(status.success(), code == 0);
        }
    });
}

#[test]
fn the_signal_that_ended_a_child_is_told() {
    on_each(async || {
        let status = sh("kill -TERM $$").status().await.unwrap();
        assert_eq!((status.code(), status.signal()), (None, Some(15)));
    });
}

#[test]
fn a_killed_child_ends_by_sigkill_and_may_be_killed_again() {
    on_each(async || {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id().expect("it runs");
        child.kill().await.unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(9));
        assert_eq!(child.id(), None);
        assert!(!in_proc(pid));
        child.start_kill().unwrap();
        child.kill().await.unwrap();
    });
}

#[test]
fn the_answer_of_a_wait_stays() {
    on_each(async || {
        let mut child = sh("exit 4").spawn().unwrap();
        for _ in 0..2 {
            assert_eq!(child.wait().await.unwrap().code(), Some(4));
        }
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(4));
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(4));
    });
}

#[test]
fn two_places_wait_in_turn_and_get_one_answer() {
    on_each(async || {
        let mut child = cat();
        let stdin = child.stdin.take();
        let shared = Arc::new(Mutex::new(child));
        let waits: Vec<_> = (0..2)
            .map(|_| {
                let shared = shared.clone();
                gmp::spawn(async move { shared.lock().await.wait().await })
            })
            .collect();
        gmp::task::yield_now().await;
        drop(stdin);
        for wait in waits {
            assert!(wait.await.unwrap().unwrap().success());
        }
    });
}

#[test]
fn a_wait_may_begin_in_one_task_and_end_in_another() {
    on_each(async || {
        let mut child = cat();
        let stdin = child.stdin.take();
        let first = gmp::spawn(async move {
            assert!(futures::poll!(pin!(child.wait())).is_pending());
            child
        });
        let mut child = first.await.unwrap();
        let second = gmp::spawn(async move { child.wait().await });
        gmp::task::yield_now().await;
        drop(stdin);
        assert!(second.await.unwrap().unwrap().success());
    });
}

#[test]
fn a_wait_that_is_given_up_can_be_repeated() {
    on_each(async || {
        let mut child = cat();
        let stdin = child.stdin.take();
        for _ in 0..10 {
            assert!(futures::poll!(pin!(child.wait())).is_pending());
        }
        drop(stdin);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_wait_closes_the_input_and_a_try_does_not() {
    on_each(async || {
        let mut child = cat();
        assert!(child.try_wait().unwrap().is_none());
        assert!(child.stdin.is_some());
        assert!(child.wait().await.unwrap().success());
        assert!(child.stdin.is_none());
        assert!(child.try_wait().unwrap().unwrap().success());
    });
}

#[test]
fn a_try_finds_the_end_without_a_wait() {
    on_each(async || {
        let mut child = sh("exit 5").spawn().unwrap();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => gmp::task::yield_now().await,
            }
        };
        assert_eq!(status.code(), Some(5));
        assert_eq!(child.wait().await.unwrap().code(), Some(5));
    });
}

#[test]
fn many_children_at_once_are_told_apart() {
    on_each(async || {
        let waits: Vec<_> = (0..50)
            .map(|n| {
                gmp::spawn(async move {
                    let quick = Command::new("true").status();
                    let other = sh(&format!("exit {n}")).status();
                    let (quick, other) = futures::try_join!(quick, other).unwrap();
                    assert!(quick.success());
                    other.code()
                })
            })
            .collect();
        for (n, wait) in (0..50).zip(waits) {
            assert_eq!(wait.await.unwrap(), Some(n));
        }
    });
}

#[test]
fn what_cannot_be_started_is_an_error() {
    on_each(async || {
        let missing = || Command::new("/no/such/program");
        assert_eq!(missing().spawn().unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(
            missing().status().await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(
            missing().output().await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        let error = Command::new("/").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let error = Command::new("true").current_dir("/no/such").spawn();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_command_says_what_the_child_gets() {
    on_each(async || {
        let output = sh("pwd; echo $0; echo $ONE$TWO$THREE; echo ${HOME-none}")
            .arg("name")
            .current_dir("/")
            .env("ONE", "1")
            .envs([("TWO", "2"), ("THREE", "3")])
            .env_remove("TWO")
            .env_remove("HOME")
            .output()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, "/\nname\n13\nnone\n");

        let output = Command::new("/usr/bin/env")
            .env("ONE", "1")
            .env_clear()
            .env("TWO", "2")
            .output();
        assert_eq!(output.await.unwrap().stdout, b"TWO=2\n");

        let mut command = Command::new("sh");
        command.arg0("other").args(["-c", "echo $0"]);
        assert_eq!(command.output().await.unwrap().stdout, b"other\n");
        assert_eq!(command.as_std().get_program(), "sh");
        assert_eq!(command.as_std_mut().get_args().count(), 2);
        assert!(!command.get_kill_on_drop());
        assert_eq!(command.into_std().get_args().count(), 2);
    });
}

#[test]
fn user_group_and_process_group_are_the_childs() {
    on_each(async || {
        let mut command = sh("read line");
        command.stdin(Stdio::piped()).process_group(0);
        let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
        command.uid(uid.as_raw()).gid(gid.as_raw());
        let mut child = command.spawn().unwrap();
        let pid = child.id().expect("it runs");
        let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("not 0");
        assert_eq!(rustix::process::getpgid(Some(pid)).unwrap(), pid);
        child.kill().await.unwrap();
    });
}

/// Between fork and exec: what it does is the child's, and its error is the spawn's.
#[test]
#[expect(unsafe_code, reason = "runs a closure in the child")]
fn a_closure_prepares_the_child() {
    on_each(async || {
        let mut command = sh("umask");
        // SAFETY: a system call that touches no memory.
        unsafe {
            command.pre_exec(|| {
                libc::umask(0o123);
                Ok(())
            });
        }
        assert_eq!(command.output().await.unwrap().stdout, b"0123\n");
        // SAFETY: no call at all.
        unsafe { command.pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::EADDRINUSE))) };
        let error = command.spawn().expect_err("the closure fails");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn a_plain_thread_and_a_foreign_executor_may_wait() {
    within(60, || {
        let mut child = sh("echo here; exit 6")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut text = String::new();
        let status = futures::executor::block_on(async {
            stdout.read_to_string(&mut text).await.unwrap();
            child.wait().await.unwrap()
        });
        assert_eq!((status.code(), text.as_str()), (Some(6), "here\n"));
    });
}
