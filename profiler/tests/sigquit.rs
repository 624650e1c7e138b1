//! `SIGQUIT` writes all tasks and ends the process, as in Go: real processes and
//! real signals. Each test runs itself in a child.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gmp::profiler::{SigQuit, leak, on_sigquit};
use gmp::runtime::Builder;

use dumps::Block;

#[path = "support/dumps.rs"]
mod dumps;

const QUIT: i32 = 3;

/// What a child is told to be.
fn role() -> Option<String> {
    std::env::var("GMP_TEST_CHILD").ok()
}

struct Running {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Runs the test again in a process of its own, until it says that it is ready.
    fn start(test: &str, variable: Option<(&str, &str)>) -> Running {
        let mut child = Command::new(std::env::current_exe().expect("this test's file"))
            .args([test, "--exact", "--nocapture"])
            .env("GMP_TEST_CHILD", test)
            .env_remove("GMP_SIGQUIT")
            .envs(variable)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut running = Running { child, stdout };
        running.expect("ready");
        running
    }

    /// Reads lines until one ends in this word: libtest writes some of its own.
    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        while !line.trim_end().ends_with(word) {
            line.clear();
            let n = self.stdout.read_line(&mut line).expect("text");
            assert_ne!(n, 0, "the child ended before it said {word}");
        }
    }

    fn signal(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-QUIT", &pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    fn end(mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        let mut stderr = self.child.stderr.take().expect("piped");
        stderr.read_to_string(&mut text).expect("text");
        (self.child.wait().expect("it ends"), text)
    }
}

fn in_state(blocks: &[Block], state: &str) -> usize {
    blocks.iter().filter(|block| block.state == state).count()
}

#[gmp::main(procs = 2)]
async fn sleepers_and_a_hog_on_each_p() {
    let sleepers: Vec<_> = (0..3)
        .map(|_| gmp::spawn(async { gmp::time::sleep(Duration::from_secs(3600)).await }))
        .collect();
    let hogs = Arc::new(AtomicU32::new(0));
    for _ in 0..4 {
        let hogs = hogs.clone();
        drop(gmp::spawn(async move {
            hogs.fetch_add(1, Ordering::Relaxed);
            loop {
                std::hint::spin_loop();
            }
        }));
    }
    while hogs.load(Ordering::Relaxed) < 4 {
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
    println!("ready");
    for sleeper in sleepers {
        sleeper.await.expect("no panic");
    }
}

/// The status is the signal's, though tasks are left.
#[test]
fn no_check_for_leaks_follows_a_dump_that_ends_the_process() {
    let name = "no_check_for_leaks_follows_a_dump_that_ends_the_process";
    if role().as_deref() == Some(name) {
        let options = leak::Options::new().retry_for(Duration::ZERO);
        leak::verify_at_exit(options).expect("there is room");
        return sleepers_and_a_hog_on_each_p();
    }
    let child = Running::start(name, None);
    child.signal();
    let (status, text) = child.end();
    assert_eq!(status.code(), Some(2), "{text}");
    assert!(!text.contains("goleak"), "{text}");
}

#[gmp::main(procs = 1)]
async fn a_task_that_has_stderr_for_ever() {
    let _stderr = std::io::stderr().lock();
    println!("ready");
    loop {
        std::hint::spin_loop();
    }
}

/// As where a logger hangs while it has std's lock.
#[test]
fn a_program_that_wedged_with_the_lock_of_stderr_tells_its_tasks() {
    let name = "a_program_that_wedged_with_the_lock_of_stderr_tells_its_tasks";
    if role().as_deref() == Some(name) {
        return a_task_that_has_stderr_for_ever();
    }
    let child = Running::start(name, None);
    child.signal();
    let (status, text) = child.end();
    assert_eq!(status.code(), Some(2), "{text}");
    let blocks = dumps::read(&text);
    assert_eq!(in_state(&blocks, "running, locked to thread"), 1, "{text}");
}

/// More tasks compute for ever than there are Ps; the default of `#[gmp::main]`.
#[test]
fn a_wedged_program_tells_all_its_tasks_and_ends_with_two() {
    let name = "a_wedged_program_tells_all_its_tasks_and_ends_with_two";
    if role().as_deref() == Some(name) {
        return sleepers_and_a_hog_on_each_p();
    }
    let child = Running::start(name, None);
    child.signal();
    let (status, text) = child.end();
    assert_eq!(status.code(), Some(2), "{text}");
    assert!(
        text.starts_with("SIGQUIT: quit\n\n# gmp snapshot "),
        "{text}"
    );
    let blocks = dumps::read(&text);
    assert_eq!(in_state(&blocks, "sleep"), 3, "{text}");
    // The root may still be on its way to its wait.
    let busy = in_state(&blocks, "running") + in_state(&blocks, "runnable");
    assert!(busy >= 4 && blocks.len() == 8, "{text}");
    assert!(
        blocks
            .iter()
            .all(|block| block.id > 0 && block.labels.is_empty())
    );
    let sleeper = blocks.iter().find(|block| block.state == "sleep");
    let sleeper = sleeper.expect("one");
    assert!(sleeper.created_by.contains("sleepers_and_a_hog"), "{text}");
}

/// A poll that blocks its thread for ever, without hand-off: the only P is gone.
#[test]
fn a_p_that_is_never_given_back_hides_nothing() {
    let name = "a_p_that_is_never_given_back_hides_nothing";
    if role().as_deref() == Some(name) {
        on_sigquit(SigQuit::Exit).expect("installed");
        let rt = Builder::new()
            .procs(1)
            .handoff(false)
            .build()
            .expect("a runtime");
        drop(rt.spawn(async { gmp::time::sleep(Duration::from_secs(3600)).await }));
        let (tx, rx) = std::sync::mpsc::channel();
        drop(rt.spawn(async move {
            tx.send(()).expect("awaited");
            loop {
                std::thread::park();
            }
        }));
        rx.recv().expect("it runs");
        println!("ready");
        loop {
            std::thread::park();
        }
    }
    let child = Running::start(name, None);
    child.signal();
    let (status, text) = child.end();
    assert_eq!(status.code(), Some(2), "{text}");
    let blocks = dumps::read(&text);
    assert_eq!(blocks.len(), 2, "{text}");
    assert_eq!(in_state(&blocks, "running"), 1, "{text}");
}

#[test]
fn every_runtime_is_in_the_dump_and_the_process_may_go_on() {
    let name = "every_runtime_is_in_the_dump_and_the_process_may_go_on";
    if role().as_deref() == Some(name) {
        on_sigquit(SigQuit::Exit).expect("installed");
        on_sigquit(SigQuit::Dump).expect("changed");
        let runtimes = [1, 2].map(|procs| Builder::new().procs(procs).build().expect("a runtime"));
        for rt in &runtimes {
            drop(rt.spawn(std::future::pending::<()>()));
        }
        println!("ready");
        // The end of the input ends the child.
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("text");
        return;
    }
    let mut command = Command::new(std::env::current_exe().expect("this test's file"));
    command
        .args([name, "--exact", "--nocapture"])
        .env("GMP_TEST_CHILD", name)
        .env_remove("GMP_SIGQUIT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the child starts");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut running = Running { child, stdout };
    running.expect("ready");
    let mut stderr = BufReader::new(running.child.stderr.take().expect("piped"));
    for _ in 0..3 {
        running.signal();
        // Each dump ends with the second runtime's only task.
        let mut text = String::new();
        while text.matches("created by ").count() < 2 {
            assert_ne!(stderr.read_line(&mut text).expect("text"), 0, "{text}");
        }
        assert!(
            text.contains(" procs=1\n") && text.contains(" procs=2\n"),
            "{text}"
        );
        assert_ne!(stderr.read_line(&mut text).expect("text"), 0, "{text}");
    }
    drop(running.child.stdin.take());
    assert!(running.child.wait().expect("it ends").success());
}

#[test]
fn off_leaves_the_signal_to_the_system() {
    let name = "off_leaves_the_signal_to_the_system";
    if role().as_deref() == Some(name) {
        return sleepers_and_a_hog_on_each_p();
    }
    let child = Running::start(name, Some(("GMP_SIGQUIT", "off")));
    child.signal();
    let (status, text) = child.end();
    assert_eq!(status.signal(), Some(QUIT), "{text}");
    assert!(!text.contains("goroutine"), "{text}");
}

/// Off after on: the system's own way comes back.
#[test]
fn off_may_come_later() {
    let name = "off_may_come_later";
    if role().as_deref() == Some(name) {
        on_sigquit(SigQuit::Exit).expect("installed");
        on_sigquit(SigQuit::Off).expect("changed");
        println!("ready");
        loop {
            std::thread::park();
        }
    }
    let child = Running::start(name, None);
    child.signal();
    let (status, text) = child.end();
    assert_eq!(status.signal(), Some(QUIT), "{text}");
}

/// Source: signal.Notify: a listener takes the signal away from the runtime.
#[test]
fn a_listener_of_the_programs_own_has_the_signal_to_itself() {
    #[gmp::main(procs = 1, sigquit = "exit")]
    async fn listen() {
        let mut quits = gmp::signal::unix(gmp::signal::SignalKind::quit()).expect("a listener");
        println!("ready");
        quits.recv().await.expect("a signal");
    }
    let name = "a_listener_of_the_programs_own_has_the_signal_to_itself";
    if role().as_deref() == Some(name) {
        return listen();
    }
    let child = Running::start(name, None);
    child.signal();
    let (status, text) = child.end();
    assert!(status.success(), "{text}");
    assert!(!text.contains("goroutine"), "{text}");
}

#[test]
fn a_bad_setting_is_named() {
    let name = "a_bad_setting_is_named";
    if role().as_deref() == Some(name) {
        let error = on_sigquit(SigQuit::Dump).expect_err("a bad setting");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(
            error.to_string(),
            "GMP_SIGQUIT=perhaps takes off, dump or exit"
        );
        println!("ready");
        return;
    }
    let (status, text) = Running::start(name, Some(("GMP_SIGQUIT", "perhaps"))).end();
    assert!(status.success(), "{text}");
}
