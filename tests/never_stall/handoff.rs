//! Ps that vanish from polls at random moments, while the polls do everything that
//! a program does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::{FutureExt, SinkExt, StreamExt};
use gmp::net::UnixStream;
use gmp::runtime::{Builder, Handle, Rules};
use gmp::time::sleep;

use crate::watchdog::within;

/// Takes Ps from polls until dropped; counts how many.
struct Thief {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<usize>>,
}

impl Thief {
    fn new(handle: Handle) -> Thief {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let stop = stop.clone();
            move || {
                let (mut taken, mut n) = (0, 1_usize);
                while !stop.load(Ordering::Relaxed) {
                    n = n.wrapping_mul(0x5851_f42d).wrapping_add(0x1405_7b7e);
                    let suspect = n & 0x700 == 0;
                    if gmp::__private::testing::hand_off(&handle, n >> 16, suspect) {
                        taken += 1;
                    }
                    if n & 0x7000 == 0 {
                        thread::yield_now();
                    }
                }
                taken
            }
        });
        Thief {
            stop,
            thread: Some(thread),
        }
    }

    fn taken(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("taken once");
        thread.join().expect("the thief does not panic")
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn compute(steps: u32) {
    for n in 0..steps {
        std::hint::black_box(n);
    }
}

async fn wakes(rounds: usize) -> usize {
    let (mut to, mut from) = mpsc::channel::<usize>(0);
    let (mut back, mut answers) = mpsc::channel::<usize>(1);
    let other = gmp::spawn(async move {
        while let Some(n) = from.next().await {
            compute(300);
            back.send(n + 1).await.expect("read");
        }
    });
    let mut sum = 0;
    for n in 0..rounds {
        to.send(n).await.expect("read");
        compute(300);
        sum += answers.next().await.expect("answered") - n;
    }
    drop(to);
    other.await.expect("no panic");
    sum
}

async fn spawns(rounds: usize) -> usize {
    let mut sum = 0;
    for n in 0..rounds {
        let tasks: Vec<_> = (0..10)
            .map(|i| {
                gmp::spawn(async move {
                    compute(200);
                    if i % 3 == 0 {
                        gmp::task::yield_now().await;
                    }
                    usize::from(i < n + 10)
                })
            })
            .collect();
        let inner = async {
            let mut inner = 0;
            for task in tasks {
                inner += task.await.expect("no panic");
            }
            inner
        };
        sum += inner.await / 10;
    }
    sum
}

async fn sleeps(rounds: usize) -> usize {
    for n in 0..rounds {
        sleep(Duration::from_micros(n as u64 % 50)).await;
        compute(300);
        let late = gmp::time::timeout(Duration::from_micros(50), std::future::pending::<()>());
        assert!(late.await.is_err());
    }
    rounds
}

async fn nests(rounds: usize) -> usize {
    let mut sum = 0;
    for n in 0..rounds {
        sum += gmp::block_on(async {
            let spawned = gmp::spawn(async { 1 });
            if n % 2 == 0 {
                sleep(Duration::from_micros(10)).await;
            }
            spawned.await.expect("no panic")
        });
        gmp::task::block_in_place(|| compute(500));
        gmp::task::yield_now().await;
    }
    sum
}

async fn panics(rounds: usize) -> usize {
    let mut sum = 0;
    for _ in 0..rounds {
        let task = gmp::spawn(async {
            compute(300);
            gmp::task::yield_now().await;
            let caught = AssertUnwindSafe(async { std::panic::resume_unwind(Box::new(1)) })
                .catch_unwind()
                .await;
            let payload: Result<(), _> = caught;
            std::panic::resume_unwind(payload.expect_err("it panicked"))
        });
        let error: Result<(), _> = task.await;
        sum += usize::from(error.expect_err("it panicked").is_panic());
    }
    sum
}

async fn drops(rounds: usize, counter: Arc<AtomicUsize>) -> usize {
    for n in 0..rounds {
        let token = Counted(counter.clone());
        let (hold, held) = oneshot::channel::<()>();
        let task = gmp::spawn(async move {
            let _token = token;
            let _ = held.await;
        });
        if n % 2 == 0 {
            gmp::task::yield_now().await;
        }
        compute(300);
        task.abort();
        if n % 3 == 0 {
            drop(hold);
            // Either may have come first.
            let _ = task.await;
        } else {
            assert!(task.await.expect_err("aborted").is_cancelled());
        }
    }
    rounds
}

async fn talks(rounds: usize) -> usize {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    let echo = gmp::spawn(async move {
        let mut buf = [0; 16];
        loop {
            match far.read(&mut buf).await.expect("reads") {
                0 => return,
                n => far.write_all(&buf[..n]).await.expect("writes"),
            }
        }
    });
    let mut sum = 0;
    for n in 0..rounds {
        let sent = (n as u64).to_le_bytes();
        near.write_all(&sent).await.expect("writes");
        let mut got = [0; 8];
        near.read_exact(&mut got).await.expect("reads");
        sum += usize::from(sent == got);
    }
    drop(near);
    echo.await.expect("no panic");
    sum
}

#[test]
fn nothing_is_lost_when_ps_vanish_from_polls_at_random() {
    const ROUNDS: usize = 300;
    for (rules, procs) in [(Rules::Default, 1), (Rules::Default, 3), (Rules::Go117, 2)] {
        within(120, move || {
            let rt = Builder::new()
                .procs(procs)
                .rules(rules)
                .build()
                .expect("a runtime");
            let thief = Thief::new(rt.handle().clone());
            let dropped = Arc::new(AtomicUsize::new(0));
            rt.block_on(async {
                let mut tasks = Vec::new();
                for _ in 0..2 {
                    tasks.push(gmp::spawn(wakes(ROUNDS)));
                    tasks.push(gmp::spawn(spawns(ROUNDS)));
                    tasks.push(gmp::spawn(sleeps(ROUNDS)));
                    tasks.push(gmp::spawn(nests(ROUNDS)));
                    tasks.push(gmp::spawn(panics(ROUNDS)));
                    tasks.push(gmp::spawn(drops(ROUNDS, dropped.clone())));
                    tasks.push(gmp::spawn(talks(ROUNDS)));
                }
                tasks.push(gmp::task::spawn_local(wakes(ROUNDS)));
                for task in tasks {
                    assert_eq!(task.await.expect("no panic"), ROUNDS);
                }
            });
            assert!(thief.taken() > 0, "no P was ever taken");
            assert_eq!(dropped.load(Ordering::SeqCst), 2 * ROUNDS);
            // A task is counted as ended a moment after its handle knows.
            crate::eventually("all have ended", || rt.handle().num_tasks() == 0);
        });
    }
}

/// A task that held up a P once gets none for its next polls, and is like all
/// others again when they are short: it ends, is aborted and shuts down.
#[test]
fn a_known_hog_can_still_be_aborted() {
    within(60, || {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let turns = Arc::new(AtomicUsize::new(0));
        let hog = rt.spawn({
            let turns = turns.clone();
            async move {
                loop {
                    thread::sleep(Duration::from_millis(5));
                    turns.fetch_add(1, Ordering::SeqCst);
                    gmp::task::yield_now().await;
                }
            }
        });
        // Something that wants the P all the time.
        let other = rt.spawn(async {
            loop {
                gmp::task::yield_now().await;
            }
        });
        crate::eventually("it is known", || turns.load(Ordering::SeqCst) > 10);
        hog.abort();
        assert!(rt.block_on(hog).expect_err("aborted").is_cancelled());
        other.abort();
        assert!(rt.block_on(other).expect_err("aborted").is_cancelled());
    });
}

/// Without a P nobody but the task itself sees that its slice is over.
#[test]
fn a_loop_of_ready_leaves_without_a_p_still_ends_its_polls() {
    within(60, || {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let begun = Arc::new(AtomicBool::new(false));
        let task = rt.spawn({
            let begun = begun.clone();
            async move {
                // Loses its P here, and then never waits.
                while !begun.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
                loop {
                    gmp::task::safepoint().await;
                }
            }
        });
        // Runs on the only P, so the first task has lost it.
        rt.block_on(async {
            gmp::spawn(async move { begun.store(true, Ordering::SeqCst) })
                .await
                .expect("no panic");
        });
        task.abort();
        assert!(rt.block_on(task).expect_err("aborted").is_cancelled());
    });
}
