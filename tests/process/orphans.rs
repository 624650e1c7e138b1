//! Children that are dropped: they end, or go on, and leave nothing behind.

use futures::io::{AsyncReadExt, AsyncWriteExt};

use super::eventually::eventually;
use super::*;

#[test]
fn a_dropped_child_goes_on_and_leaves_no_zombie() {
    on_each(async || {
        let mut child = cat();
        let pid = child.id().expect("it runs");
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        drop(child);
        stdin.write_all(b"alive").await.unwrap();
        let mut heard = [0; 5];
        stdout.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"alive");
        assert!(in_proc(pid));
        drop(stdin);
        eventually("the child is reaped", || !in_proc(pid));
    });
}

#[test]
fn a_child_that_ended_before_it_is_dropped_leaves_no_zombie() {
    on_each(async || {
        let mut child = sh("exit 0").stdout(Stdio::piped()).spawn().unwrap();
        let pid = child.id().expect("not waited for");
        let mut nothing = Vec::new();
        let stdout = child.stdout.as_mut().unwrap();
        stdout.read_to_end(&mut nothing).await.unwrap();
        drop(child);
        eventually("the child is reaped", || !in_proc(pid));
    });
}

#[test]
fn kill_on_drop_kills_and_leaves_no_zombie() {
    on_each(async || {
        let mut command = Command::new("sleep");
        command.arg("1000").kill_on_drop(true);
        assert!(command.get_kill_on_drop());
        let mut child = command.spawn().unwrap();
        let pid = child.id().expect("it runs");
        assert!(futures::poll!(pin!(child.wait())).is_pending());
        drop(child);
        eventually("the child is reaped", || !in_proc(pid));
    });
}

#[test]
fn a_future_of_output_that_is_dropped_kills_if_it_shall() {
    on_each(async || {
        // The shell tells its pid, and lives until it is killed.
        let (mut near, far) = gmp::net::UnixStream::pair().unwrap();
        let far = far.into_std().unwrap();
        let mut command = sh("echo $$ >&0; exec sleep 1000");
        command
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(far)))
            .kill_on_drop(true);
        let output = command.output();
        drop(command);
        let mut text = [0; 16];
        let n = near.read(&mut text).await.unwrap();
        let text = std::str::from_utf8(&text[..n]).unwrap();
        let pid: u32 = text.trim().parse().unwrap();
        assert!(in_proc(pid));
        drop(output);
        eventually("the child is reaped", || !in_proc(pid));
    });
}

#[test]
fn many_dropped_children_are_all_reaped() {
    on_each(async || {
        let pids: Vec<u32> = (0..50)
            .map(|_| Command::new("true").spawn().unwrap())
            .map(|child| child.id().expect("not waited for"))
            .collect();
        eventually("the children are reaped", || {
            !pids.iter().any(|&pid| in_proc(pid))
        });
    });
}

#[test]
fn a_child_without_a_runtime_is_reaped_at_the_next_start() {
    within(60, || {
        let rt = runtime(1);
        let mut dropped_late = rt.block_on(async { cat() });
        let mut dropped_early = rt.block_on(async { cat() });
        let stdins = (dropped_late.stdin.take(), dropped_early.stdin.take());
        let pids = [&dropped_late, &dropped_early].map(|child| child.id().expect("it runs"));
        drop(dropped_early);
        drop(rt);
        let error = futures::executor::block_on(dropped_late.wait()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(dropped_late.try_wait().unwrap().is_none());
        drop(dropped_late);
        assert!(pids.iter().all(|&pid| in_proc(pid)));
        drop(stdins);
        eventually("the children are reaped", || {
            gmp::block_on(Command::new("true").status()).unwrap();
            !pids.iter().any(|&pid| in_proc(pid))
        });
    });
}

#[test]
fn a_child_may_be_dropped_by_the_end_of_its_runtime() {
    within(60, || {
        for procs in [1, 2] {
            let rt = runtime(procs);
            let mut command = Command::new("sleep");
            let mut child = rt
                .block_on(async { command.arg("1000").kill_on_drop(true).spawn() })
                .unwrap();
            let pid = child.id().expect("it runs");
            drop(rt.spawn(async move { child.wait().await }));
            drop(rt);
            eventually("the child is reaped", || {
                gmp::block_on(Command::new("true").status()).unwrap();
                !in_proc(pid)
            });
        }
    });
}
