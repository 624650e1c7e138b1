//! Knobs and variables that cannot be, and what the runtime tells of itself.

#[path = "support/child.rs"]
mod child;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::future::pending;
use std::io::ErrorKind;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use gmp::runtime::{Builder, Handle, Rules, Runtime};
use gmp::time::sleep;

use eventually::eventually;
use watchdog::within;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// Runs this test alone in a child; `inside` is what it does there.
fn in_a_child(name: &str, env: &[(&str, &str)], inside: fn()) -> Option<Output> {
    if child::is_child(name) {
        inside();
        return None;
    }
    let (name, env) = (name.to_owned(), env.to_vec());
    let env: Vec<(String, String)> = env
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Some(within(60, move || {
        let env: Vec<_> = env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        child::run(&name, &env)
    }))
}

#[track_caller]
fn passes(output: Option<Output>) {
    if let Some(output) = output {
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        assert!(text.contains("1 passed"), "no test ran: {text}");
    }
}

// Knobs.

#[test]
fn a_knob_that_cannot_be_is_named() {
    within(60, || {
        let one = || Builder::new().procs(1);
        let table = [
            (Builder::new().procs(0), "procs(0)"),
            (Builder::new().procs(1025), "procs(1025)"),
            (
                Builder::new().procs(usize::MAX),
                "procs(18446744073709551615)",
            ),
            (one().thread_stack_size(0), "thread_stack_size(0)"),
            (one().thread_stack_size(1), "thread_stack_size(1)"),
            (one().max_threads(0), "max_threads(0)"),
            (Builder::new().procs(4).max_threads(3), "max_threads(3)"),
            (one().time_slice(Duration::ZERO), "time_slice"),
            (one().time_slice(Duration::from_nanos(1)), "time_slice"),
        ];
        for (builder, name) in table {
            let error = builder.build().expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{name}");
            let text = error.to_string();
            assert!(text.contains(name), "{name}: {text}");
        }
    });
}

#[test]
fn knobs_at_their_bounds_work() {
    within(60, || {
        let one = || Builder::new().procs(1);
        let table = [
            Builder::new().procs(1024),
            one().thread_stack_size(65_536),
            one().max_threads(1),
            one().max_threads(u32::MAX as usize),
            one().time_slice(Duration::MAX),
            one().time_slice(Duration::from_micros(100)),
            one().thread_keep_alive(Duration::ZERO),
            one().thread_keep_alive(Duration::MAX),
            one().thread_name(""),
            one().thread_name("a name of more letters than the system keeps"),
            one().seed(0).rules(Rules::Go117),
            one().seed(u64::MAX).handoff(false),
        ];
        for (n, builder) in table.into_iter().enumerate() {
            let rt = builder.build().unwrap_or_else(|e| panic!("{n}: {e}"));
            let sum = rt.block_on(async {
                sleep(Duration::from_micros(50)).await;
                let blocking = gmp::task::spawn_blocking(|| 1);
                gmp::spawn(async { 1 }).await.expect("joined") + blocking.await.expect("joined")
            });
            assert_eq!(sum, 2, "{n}");
        }
    });
}

#[test]
fn a_thread_name_with_a_nul_is_refused() {
    within(60, || {
        let error = Builder::new().procs(1).thread_name("a\0b").build();
        let error = error.expect_err("no thread can have it");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("thread_name"), "{error}");
    });
}

#[test]
fn a_stack_that_no_system_has_is_an_error() {
    within(60, || {
        let builder = Builder::new().procs(1).thread_stack_size(usize::MAX / 2);
        assert!(builder.build().is_err());
    });
}

#[test]
fn threads_bear_the_name_that_was_asked_for() {
    within(60, || {
        let rt = Builder::new()
            .procs(1)
            .thread_name("svc")
            .build()
            .expect("a runtime");
        let name = rt.spawn(async { thread::current().name().map(str::to_owned) });
        let name = rt.block_on(name).expect("no panic").expect("a name");
        assert!(name.starts_with("svc"), "{name}");
    });
}

#[test]
fn the_number_of_ps_is_clamped_when_it_changes() {
    within(60, || {
        let rt = runtime(2);
        let handle = rt.handle();
        assert_eq!(handle.procs(), 2);
        assert_eq!(handle.set_procs(0), 2);
        assert_eq!(handle.procs(), 1);
        assert_eq!(handle.set_procs(usize::MAX), 1);
        assert_eq!(handle.procs(), 1024);
        assert_eq!(handle.set_procs(3), 1024);
        assert_eq!(handle.set_procs(3), 3);
        assert_eq!(rt.block_on(rt.spawn(async { 1 })).expect("no panic"), 1);
    });
}

// The environment.

#[test]
fn gmp_procs_that_is_no_number_is_named() {
    const NAME: &str = "gmp_procs_that_is_no_number_is_named";
    for bad in ["many", "0", "1025", "-1", "", "2.5", "99999999999999999999"] {
        let output = in_a_child(NAME, &[("GMP_PROCS", bad)], || {
            let error = Builder::new().build().expect_err("GMP_PROCS is no number");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let bad = std::env::var("GMP_PROCS").unwrap();
            let text = error.to_string();
            assert!(text.contains(&format!("GMP_PROCS={bad}")), "{text}");
            // A number in the program counts more.
            assert_eq!(runtime(2).handle().procs(), 2);
            // The global runtime says the same in its panic.
            let caught = std::panic::catch_unwind(Handle::current);
            let panic = caught.expect_err("it cannot start");
            let text = panic.downcast_ref::<String>().expect("a text");
            assert!(text.contains("GMP_PROCS"), "{text}");
        });
        let child = output.is_none();
        passes(output);
        if child {
            return;
        }
    }
}

#[test]
fn gmp_procs_is_the_number_of_ps() {
    const NAME: &str = "gmp_procs_is_the_number_of_ps";
    passes(in_a_child(NAME, &[("GMP_PROCS", " 3 ")], || {
        let rt = Builder::new().build().expect("a runtime");
        assert_eq!(rt.handle().procs(), 3);
        assert_eq!(Handle::current().procs(), 3);
        assert_eq!(runtime(1).handle().procs(), 1);
    }));
}

#[test]
fn gmp_seed_that_is_no_number_is_named() {
    const NAME: &str = "gmp_seed_that_is_no_number_is_named";
    passes(in_a_child(NAME, &[("GMP_SEED", "0x1")], || {
        let error = Builder::new().procs(1).build().expect_err("no number");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("GMP_SEED=0x1"), "{error}");
        assert!(Builder::new().procs(1).seed(1).build().is_ok());
    }));
}

#[test]
fn settings_of_gmp_debug_that_nobody_knows_do_no_harm() {
    const NAME: &str = "settings_of_gmp_debug_that_nobody_knows_do_no_harm";
    let env = [("GMP_DEBUG", "schedtrace=x,,=,nonsense=1,schedtrace")];
    passes(in_a_child(NAME, &env, || {
        assert_eq!(
            gmp::block_on(async { gmp::spawn(async { 1 }).await }).ok(),
            Some(1)
        );
    }));
}

#[test]
fn main_prints_what_is_wrong_and_exits_with_1() {
    const NAME: &str = "main_prints_what_is_wrong_and_exits_with_1";
    let output = in_a_child(NAME, &[("GMP_PROCS", "many")], || {
        gmp::__private::run_main(Builder::new(), async { println!("main ran") });
    });
    if let Some(output) = output {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = errors.lines().find(|line| line.starts_with("gmp: "));
        let line = line.expect("a line of gmp's");
        assert!(line.contains("GMP_PROCS=many"), "{line}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!text.contains("main ran"), "{text}");
    }
}

#[test]
fn main_ends_without_waiting_for_tasks() {
    const NAME: &str = "main_ends_without_waiting_for_tasks";
    passes(in_a_child(NAME, &[], || {
        let output = gmp::__private::run_main(Builder::new(), async {
            drop(gmp::spawn(pending::<()>()));
            drop(gmp::spawn(sleep(Duration::from_secs(3600))));
            8
        });
        assert_eq!(output, 8);
    }));
}

#[test]
fn the_default_number_of_ps_is_what_the_machine_allows() {
    const NAME: &str = "the_default_number_of_ps_is_what_the_machine_allows";
    if std::env::var_os("GMP_PROCS").is_some() && !child::is_child(NAME) {
        // Whoever set it wants something else from all tests.
        return;
    }
    passes(in_a_child(NAME, &[], || {
        let rt = Runtime::new().expect("a runtime");
        let procs = rt.handle().procs();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        assert!((1..=cores.max(2)).contains(&procs), "{procs} of {cores}");
    }));
}

// Handles.

#[test]
fn handles_outside_a_runtime() {
    const NAME: &str = "handles_outside_a_runtime";
    passes(in_a_child(NAME, &[], || {
        let error = Handle::try_current().expect_err("no runtime here");
        assert!(!error.to_string().is_empty());
        // Starts the global one, once.
        let global = Handle::current();
        assert!(global.same_runtime(&Handle::global()));
        assert!(Handle::try_current().is_err(), "it was not entered");
        let (tx, rx) = mpsc::channel();
        drop(gmp::spawn(async move {
            let here = Handle::try_current().expect("a task runs here");
            tx.send(here).expect("waited for");
        }));
        assert!(rx.recv().expect("it runs").same_runtime(&global));
        let other = thread::spawn(Handle::current).join().unwrap();
        assert!(other.same_runtime(&global));
        assert!(format!("{global:?}").contains("procs"));
    }));
}

#[test]
fn the_first_use_from_many_threads_at_once_starts_one_runtime() {
    const NAME: &str = "the_first_use_from_many_threads_at_once_starts_one_runtime";
    passes(in_a_child(NAME, &[], || {
        let barrier = Arc::new(std::sync::Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let barrier = barrier.clone();
                thread::spawn(move || {
                    barrier.wait();
                    gmp::block_on(async move {
                        sleep(Duration::from_micros(10)).await;
                        assert_eq!(gmp::spawn(async move { n }).await.expect("joined"), n);
                    });
                    Handle::current()
                })
            })
            .collect();
        let handles: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        assert!(handles.iter().all(|h| h.same_runtime(&handles[0])));
    }));
}

// Numbers.

#[test]
fn metrics_count_what_happens() {
    within(60, || {
        let rt = runtime(2);
        let handle = rt.handle().clone();
        let before = handle.metrics();
        assert_eq!((before.spawned, before.finished), (0, 0));
        assert_eq!(before.procs.len(), 2);
        assert_eq!(before.idle_procs, 2);
        assert_eq!(handle.num_tasks(), 0);

        let (tx, rx) = mpsc::channel::<()>();
        let waiting: Vec<_> = (0..10).map(|_| rt.spawn(pending::<()>())).collect();
        let ended: Vec<_> = (0..5)
            .map(|_| rt.spawn(async { gmp::task::yield_now().await }))
            .collect();
        let blocked = rt.spawn(async move {
            let _ = rx.recv();
        });
        let timers: Vec<_> = (0..7)
            .map(|_| rt.spawn(sleep(Duration::from_secs(3600))))
            .collect();
        eventually("the five end", || {
            ended.iter().all(|task| task.is_finished())
        });
        let timers_of =
            |handle: &Handle| -> usize { handle.metrics().procs.iter().map(|p| p.timers).sum() };
        eventually("seven timers wait", || timers_of(&handle) == 7);
        eventually("five have ended", || handle.metrics().finished == 5);
        let now = handle.metrics();
        assert_eq!((now.spawned, now.finished), (10 + 5 + 1 + 7, 5));
        assert_eq!(handle.num_tasks(), 10 + 1 + 7);
        assert!(now.threads >= 1 && now.idle_threads <= now.threads);
        assert!(now.procs.iter().map(|p| p.polls).sum::<u64>() >= 10 + 5 * 2);
        assert_eq!(now.thread_spawn_failures, 0);
        // The blocked poll holds no P for long.
        eventually("its P goes on", || handle.metrics().idle_procs == 2);
        assert!(handle.metrics().handoffs >= 1);

        drop(tx);
        for task in waiting.iter().chain(&timers) {
            task.abort();
        }
        eventually("all end", || handle.num_tasks() == 0);
        drop(blocked);
        eventually("no timer is left", || timers_of(&handle) == 0);
        let after = handle.metrics();
        assert_eq!(after.spawned, after.finished);
        assert!(!format!("{after:?}").is_empty());
        drop(rt);
        // A handle that outlives its runtime still tells.
        assert_eq!(handle.metrics().spawned, after.spawned);
        assert_eq!(handle.num_tasks(), 0);
    });
}

#[test]
fn metrics_may_be_read_from_anywhere_under_load() {
    within(60, || {
        let rt = runtime(2);
        let done = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (handle, done) = (rt.handle().clone(), done.clone());
                thread::spawn(move || {
                    let mut last = handle.metrics();
                    while done.load(Ordering::SeqCst) < 5_000 {
                        let now = handle.metrics();
                        assert!(now.finished >= last.finished, "counters only grow");
                        assert!(now.spawned >= now.finished);
                        last = now;
                    }
                })
            })
            .collect();
        let resize = {
            let handle = rt.handle().clone();
            rt.spawn(async move {
                for n in 0..100 {
                    handle.set_procs(1 + n % 3);
                    let _ = handle.metrics();
                    gmp::task::yield_now().await;
                }
            })
        };
        for _ in 0..5_000 {
            let done = done.clone();
            drop(rt.spawn(async move {
                gmp::task::yield_now().await;
                done.fetch_add(1, Ordering::SeqCst);
            }));
        }
        for reader in readers {
            reader.join().unwrap();
        }
        rt.block_on(resize).expect("no panic");
    });
}
