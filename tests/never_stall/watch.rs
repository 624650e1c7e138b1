//! What sysmon sees and shows: its sleep, its looks, its line; and stacks that end.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::io::AsyncReadExt;
use gmp::runtime::{Builder, Rules};
use gmp::task::{block_in_place, safepoint, yield_now};

use crate::child;
use crate::eventually::eventually;
use crate::watchdog::within;

/// How often the thread of this name has gone to sleep.
fn sleeps_of(name: &str) -> Option<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    tasks.flatten().find_map(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm")).ok()?;
        if comm.trim() != name {
            return None;
        }
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse().ok()
    })
}

/// Rule R-SYSMON-2, T-51: with every P idle sysmon sleeps, also with a timer far
/// off; a task wakes it.
#[test]
fn t51_an_idle_runtime_has_no_sysmon() {
    within(60, || {
        for rules in [Rules::Default, Rules::Go117] {
            let rt = Builder::new()
                .procs(2)
                .rules(rules)
                .thread_name("t51")
                .build()
                .expect("a runtime");
            drop(rt.spawn(gmp::time::sleep(Duration::from_secs(3600))));
            eventually("sysmon sleeps for 100 ms", || {
                // Before its first step the thread has no name.
                let before = sleeps_of("t51-sysmon");
                thread::sleep(Duration::from_millis(100));
                before.is_some() && sleeps_of("t51-sysmon") == before
            });
            let before = sleeps_of("t51-sysmon");
            let stop = Arc::new(AtomicBool::new(false));
            let busy = rt.spawn({
                let stop = stop.clone();
                async move {
                    while !stop.load(Ordering::Relaxed) {
                        yield_now().await;
                    }
                }
            });
            eventually("sysmon looks", || sleeps_of("t51-sysmon") > before);
            stop.store(true, Ordering::Relaxed);
            rt.block_on(busy).expect("no panic");
        }
    });
}

/// Rule R-SYSMON-2, T-52: a poll that an event started in an idle runtime is
/// preempted as any other.
#[test]
fn t52_an_event_wakes_sysmon_too() {
    within(60, || {
        let rt = Builder::new()
            .procs(1)
            .handoff(false)
            .build()
            .expect("a runtime");
        let (mut far, near) = UnixStream::pair().expect("a pair");
        near.set_nonblocking(true).expect("a socket");
        let stop = Arc::new(AtomicBool::new(false));
        let spinner = {
            let stop = stop.clone();
            let _entered = rt.enter();
            let mut near = gmp::net::UnixStream::from_std(near).expect("registered");
            rt.spawn(async move {
                near.read_exact(&mut [0]).await.expect("reads");
                while !stop.load(Ordering::Relaxed) {
                    safepoint().await;
                }
            })
        };
        // Long enough that sysmon sleeps; if it does not, the test is the easier.
        thread::sleep(Duration::from_millis(100));
        far.write_all(&[1]).expect("writes");
        let second = rt.spawn(async move { stop.store(true, Ordering::Relaxed) });
        rt.block_on(second).expect("no panic");
        rt.block_on(spinner).expect("no panic");
    });
}

/// Rules R-SYSCALL-3 and 6, T-53: a short section costs no hand-off, and the slice
/// goes on.
#[test]
fn t53_a_short_section_keeps_its_p() {
    within(60, || {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let same = rt.spawn(async {
            use gmp::__private::testing::schedtick;
            // Now and then the machine makes a short section long.
            (0..1000)
                .filter(|_| {
                    let before = schedtick();
                    block_in_place(thread::yield_now);
                    std::panic::catch_unwind(schedtick).is_ok_and(|after| after == before)
                })
                .count()
        });
        let same = rt.block_on(same).expect("no panic");
        assert!(same > 500, "only {same} of 1000 sections kept their P");
    });
}

/// Rule R-SYSMON-4, T-54: the ring of a P whose task blocks is run elsewhere.
#[test]
fn t54_the_ring_behind_a_blocking_section_goes_on() {
    within(60, || {
        for (rules, procs) in [(Rules::Default, 1), (Rules::Go117, 1), (Rules::Default, 2)] {
            let rt = Builder::new()
                .procs(procs)
                .rules(rules)
                .build()
                .expect("a runtime");
            let (blocked, released) = std::sync::mpsc::channel();
            let blocker = rt.spawn(async move {
                // B is behind it, in its own ring, and ends the section.
                let b = gmp::spawn(async move { blocked.send(()).expect("waited for") });
                block_in_place(|| released.recv().expect("B runs"));
                b.await.expect("no panic");
            });
            rt.block_on(blocker).expect("no panic");
        }
    });
}

/// Rule R-SYSMON-5, T-56: a reader runs though the only P is never idle.
#[test]
fn t56_a_busy_p_does_not_starve_readers() {
    within(60, || {
        for rules in [Rules::Default, Rules::Go117] {
            let rt = Builder::new()
                .procs(1)
                .rules(rules)
                .build()
                .expect("a runtime");
            let stop = Arc::new(AtomicBool::new(false));
            let rounds = Arc::new(AtomicU64::new(0));
            let pair: Vec<_> = (0..2)
                .map(|_| {
                    let (stop, rounds) = (stop.clone(), rounds.clone());
                    rt.spawn(async move {
                        while !stop.load(Ordering::Relaxed) {
                            rounds.fetch_add(1, Ordering::Relaxed);
                            yield_now().await;
                        }
                    })
                })
                .collect();
            let (mut far, near) = UnixStream::pair().expect("a pair");
            near.set_nonblocking(true).expect("a socket");
            let reader = {
                let _entered = rt.enter();
                let mut near = gmp::net::UnixStream::from_std(near).expect("registered");
                rt.spawn(async move { near.read_exact(&mut [0]).await })
            };
            eventually("the pair runs", || rounds.load(Ordering::Relaxed) > 100);
            far.write_all(&[1]).expect("writes");
            rt.block_on(reader).expect("no panic").expect("reads");
            stop.store(true, Ordering::Relaxed);
            for task in pair {
                rt.block_on(task).expect("no panic");
            }
        }
    });
}

/// Go's TestTimerFairness2: tasks that only block do not keep a timer from firing.
#[test]
fn timers_fire_beside_blocking_sections() {
    within(60, || {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let stop = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let stop = stop.clone();
                rt.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        block_in_place(thread::yield_now);
                        safepoint().await;
                    }
                })
            })
            .collect();
        let timer = rt.spawn(async move {
            gmp::time::sleep(Duration::from_millis(1)).await;
            stop.store(true, Ordering::Relaxed);
        });
        rt.block_on(timer).expect("no panic");
        for task in tasks {
            rt.block_on(task).expect("no panic");
        }
    });
}

/// Go's TestStopTheWorldDeadlock: stops from tasks and from threads beside tasks
/// that only give way.
#[test]
fn stops_of_the_world_do_not_deadlock() {
    within(60, || {
        let rt = Builder::new().procs(3).build().expect("a runtime");
        let stop = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..3)
            .map(|_| {
                let stop = stop.clone();
                rt.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        yield_now().await;
                    }
                })
            })
            .collect();
        let stoppers: Vec<_> = (0..3)
            .map(|_| {
                rt.spawn(async {
                    for _ in 0..50 {
                        assert!(!gmp::profiler::snapshot().is_empty());
                        yield_now().await;
                    }
                })
            })
            .collect();
        let _entered = rt.enter();
        for _ in 0..50 {
            let ids: Vec<u64> = gmp::profiler::snapshot()
                .iter()
                .map(|task| task.id)
                .collect();
            assert!(
                ids.windows(2).all(|pair| pair[0] < pair[1]),
                "a task was seen twice"
            );
        }
        for task in stoppers {
            rt.block_on(task).expect("no panic");
        }
        stop.store(true, Ordering::Relaxed);
        for task in busy {
            rt.block_on(task).expect("no panic");
        }
    });
}

/// A number after `name=`, and what follows it.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let rest = text
        .strip_prefix(name)
        .unwrap_or_else(|| panic!("{name} is next in {text:?}"));
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    assert!(end > 0, "a number follows {name} in {text:?}");
    &rest[end..]
}

fn numbers(list: &str) -> usize {
    let all: Vec<u64> = list
        .split(' ')
        .map(|n| n.parse().expect("a number"))
        .collect();
    all.len()
}

/// Rules R-TRACE-3 and R-SYSMON-6, T-89 with L-24: Go's line, by sysmon.
#[test]
fn t89_the_line_of_schedtrace() {
    const NAME: &str = "watch::t89_the_line_of_schedtrace";
    if child::is_child(NAME) {
        let rt = Builder::new().procs(2).build().expect("a runtime");
        let until = Instant::now() + Duration::from_millis(300);
        rt.block_on(rt.spawn(async move {
            while Instant::now() < until {
                yield_now().await;
            }
        }))
        .expect("no panic");
        return;
    }
    let output = child::run(NAME, &[("GMP_DEBUG", "schedtrace=20")]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).expect("text");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("SCHED "))
        .collect();
    assert!(lines.len() > 1, "{text}");
    for line in lines {
        let mut rest = field(line, "SCHED ")
            .strip_prefix("ms: ")
            .expect("milliseconds");
        for name in [
            "gomaxprocs=",
            "idleprocs=",
            "threads=",
            "spinningthreads=",
            "needspinning=",
            "idlethreads=",
            "runqueue=",
        ] {
            rest = field(rest, name).strip_prefix(' ').expect("one space");
        }
        let (queues, ticks) = rest
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|rest| rest.split_once("] schedticks=["))
            .expect("two lists");
        assert_eq!((numbers(queues), numbers(ticks)), (2, 2), "{line}");
    }
}

/// A stack that is about to end at a leaf is a panic of that task alone.
#[test]
fn a_stack_that_ends_at_a_leaf_is_a_panic_of_its_task() {
    fn deeper(depth: u64) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async move {
            safepoint().await;
            let room = std::hint::black_box([depth; 64]);
            deeper(depth + 1).await + room[0]
        })
    }
    within(60, || {
        let rt = Builder::new()
            .procs(1)
            .thread_stack_size(256 * 1024)
            .build()
            .expect("a runtime");
        for _ in 0..3 {
            let error = rt.block_on(rt.spawn(deeper(0))).expect_err("it has no end");
            let payload = error.into_panic();
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            assert!(text.expect("a text").contains("overflow its stack"));
            assert_eq!(
                rt.block_on(rt.spawn(async { 1 })).expect("the others live"),
                1
            );
        }
    });
}

/// Rule R-PREEMPT-2: a poll begins again where a goroutine would go on. One that
/// is asked on its way to the leaf, each time, still gets to the leaf and to the
/// timer beside it.
#[test]
fn a_long_way_to_the_leaf_is_not_for_ever() {
    within(30, || {
        for procs in [1, 2] {
            let rt = Builder::new()
                .procs(procs)
                .time_slice(Duration::from_millis(1))
                .build()
                .expect("a runtime");
            let (mut sender, receiver) = UnixStream::pair().expect("a pair");
            let mut receiver = gmp::Async::new(receiver).expect("registered");
            let mut buf = [0; 1];
            let slow = async {
                let mut read = std::pin::pin!(receiver.read(&mut buf));
                std::future::poll_fn(|cx| {
                    let end = Instant::now() + Duration::from_millis(4);
                    while Instant::now() < end {
                        std::hint::spin_loop();
                    }
                    read.as_mut().poll(cx)
                })
                .await
            };
            rt.block_on(async {
                let mut slow = std::pin::pin!(slow);
                for _ in 0..10 {
                    let soon = Duration::from_millis(20);
                    let waited = gmp::time::timeout(soon, slow.as_mut()).await;
                    assert!(waited.is_err(), "read out of nothing");
                }
                sender.write_all(b"x").expect("room");
                assert_eq!(slow.await.expect("a byte"), 1);
            });
        }
    });
}

/// Rule R-STW-5: once for every P, those of polls that go on included, and the others
/// are not stopped for it.
#[test]
fn a_function_is_called_once_for_every_p() {
    within(60, || {
        for procs in [1_usize, 2, 5] {
            let rt = Builder::new().procs(procs).build().unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let hog = rt.spawn({
                let stop = stop.clone();
                async move {
                    while !stop.load(Ordering::SeqCst) {
                        std::hint::spin_loop();
                    }
                }
            });
            let counts: Arc<Vec<AtomicU64>> =
                Arc::new((0..procs).map(|_| AtomicU64::new(0)).collect());
            for round in 1..=20 {
                let seen = counts.clone();
                gmp::__private::testing::for_each_p(rt.handle(), move |id| {
                    seen[id as usize].fetch_add(1, Ordering::SeqCst);
                });
                let counts: Vec<_> = counts.iter().map(|n| n.load(Ordering::SeqCst)).collect();
                assert_eq!(counts, vec![round; procs]);
            }
            stop.store(true, Ordering::SeqCst);
            rt.block_on(hog).unwrap();
        }
    });
}
