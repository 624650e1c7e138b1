//! The stacks of polls that go on and on. With frame pointers a dump says in which
//! function each computes, on Linux; without, it shows what it knows anyway. Both
//! builds run these tests. The handler of the signal is of the whole process: each
//! test runs itself in a child.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gmp::runtime::{Builder, Runtime};
use gmp::signal::{Signal, SignalKind};
use gmp_profiler::{Profile, TaskInfo, park_stacks, poll_stacks};

#[path = "support/dumps.rs"]
mod dumps;
#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

const SIGURG: i32 = 23;

/// Runs `body` in a process of its own.
fn alone(test: &str, body: fn()) {
    if std::env::var("GMP_TEST_CHILD").as_deref() == Ok(test) {
        return watchdog::within(120, body);
    }
    let child = Command::new(std::env::current_exe().expect("this test's file"))
        .args([test, "--exact", "--nocapture"])
        .env("GMP_TEST_CHILD", test)
        .output()
        .expect("the child starts");
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && text.contains("1 passed"),
        "{child:?}"
    );
}

/// Whether this build can walk: the question leaves the stacks of waits off.
fn can_walk() -> bool {
    let known = cfg!(target_arch = "x86_64") || cfg!(target_arch = "aarch64");
    cfg!(target_os = "linux") && known && park_stacks(false).is_ok()
}

#[inline(never)]
fn hog_loop(on: &AtomicBool) {
    while on.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

/// A task that computes until it is dropped, beside one that waits.
struct Hog {
    rt: Runtime,
    on: Arc<AtomicBool>,
    id: u64,
}

impl Hog {
    fn start() -> Hog {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let on = Arc::new(AtomicBool::new(true));
        let until = on.clone();
        let hog = rt.spawn(async move { hog_loop(&until) });
        drop(rt.spawn(gmp::time::sleep(Duration::from_secs(3600))));
        let id = hog.id().get();
        Hog { rt, on, id }
    }

    fn look(&self) -> Profile {
        Profile::of(self.rt.handle())
    }

    fn find<'a>(&self, tasks: &'a Profile) -> Option<&'a TaskInfo> {
        tasks.iter().find(|task| task.id == self.id)
    }

    /// The functions of the hog in the first dump that names the loop. It may have been
    /// caught on its way into a function, whose caller is then not known.
    fn named(&self) -> Vec<String> {
        loop {
            let mut tasks = self.look();
            tasks.retain(|task| task.id == self.id);
            for block in dumps::read(&tasks.to_text(2)) {
                if block.functions.iter().any(|f| f.contains("hog_loop")) {
                    assert_eq!((block.id, block.state.as_str()), (self.id, "running"));
                    assert!(block.labels.is_empty());
                    return block.functions;
                }
            }
        }
    }

    /// Some dumps of a poll that has lasted for longer than those that are asked.
    fn is_never_named(&self) {
        std::thread::sleep(Duration::from_millis(50));
        for _ in 0..5 {
            let tasks = self.look();
            if let Some(hog) = self.find(&tasks) {
                assert_eq!(hog.stack, None);
            }
            assert!(!tasks.to_text(2).contains("hog_loop"));
        }
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.on.store(false, Ordering::Relaxed);
    }
}

#[test]
fn a_dump_names_the_function_that_computes() {
    alone("a_dump_names_the_function_that_computes", || {
        let hog = Hog::start();
        if !can_walk() {
            return hog.is_never_named();
        }
        let functions = hog.named();
        let runtime = |f: &String| f.contains("gmp_executor") || f.contains("panicking");
        assert!(!functions.iter().any(runtime), "{functions:?}");
        // Every form has it, and the waits of others stay as they were.
        loop {
            let _entered = hog.rt.enter();
            let (text, grouped) = (gmp_profiler::stack_all(), gmp_profiler::grouped());
            assert!(text.contains("# straggler: goroutine"), "{text}");
            assert_eq!(dumps::read(&text).len(), 2);
            if grouped.to_folded().contains("hog_loop") && grouped.to_text().contains("hog_loop") {
                break;
            }
        }
        poll_stacks(false);
        hog.is_never_named();
        poll_stacks(true);
        hog.named();
        // Looks for leaks come often: they interrupt nobody.
        for _ in 0..5 {
            let proven = gmp_profiler::leak::proven().to_text(2);
            assert!(!proven.contains("hog_loop"), "{proven}");
        }
    });
}

/// The signal is Go's `SIGURG`, which a program may want for itself.
#[test]
fn a_handler_from_before_gets_what_is_not_ours() {
    alone("a_handler_from_before_gets_what_is_not_ours", || {
        let hog = Hog::start();
        let mut signals = hog.rt.block_on(async {
            let urgent = SignalKind::from_raw(SIGURG);
            gmp::signal::unix(urgent).expect("listens")
        });
        if can_walk() {
            (0..3).for_each(|_| drop(hog.named()));
        }
        assert!(is_empty(&hog.rt, &mut signals), "ours stay ours");
        send();
        hog.rt
            .block_on(async { signals.recv().await.expect("it came") });
    });
}

#[test]
fn a_handler_from_after_has_the_signal_to_itself() {
    alone("a_handler_from_after_has_the_signal_to_itself", || {
        let hog = Hog::start();
        if can_walk() {
            hog.named();
        }
        let mut signals = hog.rt.block_on(async {
            let urgent = SignalKind::from_raw(SIGURG);
            gmp::signal::unix(urgent).expect("listens")
        });
        hog.is_never_named();
        assert!(is_empty(&hog.rt, &mut signals), "nothing was sent");
        send();
        hog.rt
            .block_on(async { signals.recv().await.expect("it came") });
    });
}

/// A poll that sleeps in the kernel is let sleep: whatever it waits for there would
/// fail.
#[test]
fn a_thread_that_sleeps_in_the_kernel_is_not_interrupted() {
    alone(
        "a_thread_that_sleeps_in_the_kernel_is_not_interrupted",
        || {
            let rt = Builder::new().procs(2).build().expect("a runtime");
            let (mut wait, go) = std::io::pipe().expect("a pipe");
            let sleeper = rt.spawn(async move {
                let mut byte = [0];
                std::io::Read::read_exact(&mut wait, &mut byte).expect("it comes");
            });
            std::thread::sleep(Duration::from_millis(50));
            for _ in 0..20 {
                let tasks = Profile::of(rt.handle());
                assert!(tasks.iter().all(|task| task.stack.is_none()));
            }
            std::io::Write::write_all(&mut &go, &[1]).expect("it listens");
            rt.block_on(sleeper).expect("no panic");
        },
    );
}

/// Whether nothing has come so far: the handlers have run, and the netpoller looks.
fn is_empty(rt: &Runtime, signals: &mut Signal) -> bool {
    let soon = Duration::from_millis(20);
    rt.block_on(async { gmp::time::timeout(soon, signals.recv()).await.is_err() })
}

fn send() {
    let pid = std::process::id().to_string();
    let sent = Command::new("kill").args(["-URG", &pid]).status();
    assert!(sent.expect("kill runs").success());
}
