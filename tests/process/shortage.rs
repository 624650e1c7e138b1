//! A start for which there are not enough descriptors.

use std::fs::File;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, setrlimit, waitid};

use super::eventually::eventually;
use super::own_process::passed_alone;
use super::*;

/// Takes every descriptor that the process may have; the limit is low.
fn hoard() -> Vec<File> {
    let mut hoard = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                return hoard;
            }
        }
    }
}

/// Whether this process has any, zombies included.
fn has_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, look).err() != Some(Errno::CHILD)
}

#[test]
fn a_child_that_cannot_be_watched_is_killed_and_reaped() {
    const NAME: &str = "shortage::a_child_that_cannot_be_watched_is_killed_and_reaped";
    if within(60, || passed_alone(NAME)) {
        return;
    }
    let limits = getrlimit(Resource::Nofile);
    let current = Some(128);
    setrlimit(Resource::Nofile, Rlimit { current, ..limits }).unwrap();
    on_each(async || {
        let spawn = |free: usize, out: Stdio| {
            let mut hoard = hoard();
            hoard.truncate(hoard.len() - free);
            Command::new("sleep").arg("1000").stdout(out).spawn()
        };
        // The start itself needs none; its pidfd does.
        let refused = spawn(0, Stdio::inherit());
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EMFILE));
        assert!(!has_children());
        let mut free = 0;
        let mut child = loop {
            match spawn(free, Stdio::piped()) {
                Ok(child) => break child,
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EMFILE)),
            }
            eventually("no child is left", || !has_children());
            free += 1;
        };
        child.kill().await.unwrap();
        assert!(!has_children());
    });
}
