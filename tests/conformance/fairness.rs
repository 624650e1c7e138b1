//! Nobody starves: slices, yields, preemption and hand-off on one P: T-42, T-43,
//! T-47, T-49 and the Go tests of the same subject.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use gmp::__private::testing::schedtick;
use gmp::runtime::Rules;
use gmp::task::{JoinHandle, safepoint, yield_now};
use gmp_executor::leaf;

use crate::one_p::{RULES, Run, run};
use crate::prims::Chan;
use crate::watched::{builder, in_trials, watch, watch_task};

/// Go's time slice.
const SLICE: Duration = Duration::from_millis(10);

/// Two tasks that pass a value to and fro until `stop` and do `amount` of work at
/// each hop. Safe-points stand where Go's compiler puts them: in each call.
fn ping_pong(stop: &Arc<AtomicBool>, amount: u64, done: &Arc<AtomicU64>) -> [JoinHandle<()>; 2] {
    let ways = [Arc::new(Chan::new(1)), Arc::new(Chan::new(1))];
    let _ = ways[0].try_send(0);
    [0, 1].map(|side| {
        let (from, to) = (Arc::clone(&ways[side]), Arc::clone(&ways[1 - side]));
        let (stop, done) = (Arc::clone(stop), Arc::clone(done));
        gmp::spawn(async move {
            loop {
                safepoint().await;
                if from.recv().await.is_none() || stop.load(Ordering::Relaxed) {
                    to.close();
                    return;
                }
                toil(amount, &done).await;
                safepoint().await;
                to.send(0).await;
            }
        })
    })
}

/// Rule R-SCHED-5, T-42: a pair that wakes each other has one slice together, so
/// schedtick stands still.
#[test]
fn t42_a_pair_shares_one_slice() {
    const HOPS: usize = 1000;
    for rules in RULES {
        let root = async {
            let ways = [Chan::new(0), Chan::new(0)].map(Arc::new);
            let echo = gmp::spawn({
                let ways = ways.clone();
                async move {
                    while let Some(value) = ways[0].recv().await {
                        ways[1].send(value).await;
                    }
                }
            });
            let mut ticks = Vec::new();
            for hop in 0..HOPS {
                ways[0].send(hop as i64).await;
                ways[1].recv().await;
                ticks.push(schedtick());
            }
            ways[0].close();
            echo.await.expect("the echo ends");
            ticks
        };
        let Run::Ended(ticks, _) = run(rules, root) else {
            panic!("the pair stopped under {rules:?}");
        };
        // The first hop may still begin slices.
        assert!(ticks[1..].iter().all(|&tick| tick == ticks[1]), "{rules:?}");
    }
}

/// How long a yielder waits for its turn, `n` times.
async fn gaps(n: usize) -> Vec<Duration> {
    // The first turn may come in the middle of a slice.
    yield_now().await;
    let mut gaps = Vec::new();
    for _ in 0..n {
        let start = Instant::now();
        yield_now().await;
        gaps.push(start.elapsed());
    }
    gaps
}

fn median(mut gaps: Vec<Duration>) -> Duration {
    gaps.sort_unstable();
    gaps[gaps.len() / 2]
}

fn within(gap: Duration, low: Duration, high: Duration) -> Result<(), String> {
    if (low..=high).contains(&gap) {
        return Ok(());
    }
    Err(format!("{gap:?} is not in {low:?}..={high:?}"))
}

/// Rules R-SCHED-5 and R-SYSMON-3, T-42: a pair is preempted as one task would be.
#[test]
fn t42_a_third_task_runs_after_a_slice_of_the_pair() {
    for rules in RULES {
        in_trials(|| {
            let gap = watch_task(builder(rules, 1), async {
                let stop = Arc::new(AtomicBool::new(false));
                let pair = ping_pong(&stop, 0, &Arc::default());
                let gap = median(gaps(7).await);
                stop.store(true, Ordering::Relaxed);
                for task in pair {
                    task.await.expect("the pair ends");
                }
                gap
            });
            within(gap, SLICE * 9 / 10, Duration::from_millis(200))
        });
    }
}

/// Rules R-SYSMON-3 and R-PREEMPT-3, T-43: a hog has its slice and no more. Go
/// gives 20 ms, since sysmon looks every 10 ms; the default rules look each one.
#[test]
fn t43_a_yielder_beside_a_hog_has_every_other_turn() {
    for rules in RULES {
        in_trials(|| {
            let gap = watch_task(builder(rules, 1), async {
                let stop = Arc::new(AtomicBool::new(false));
                let hog = gmp::spawn({
                    let stop = Arc::clone(&stop);
                    async move {
                        while !stop.load(Ordering::Relaxed) {
                            safepoint().await;
                        }
                    }
                });
                let gap = median(gaps(7).await);
                stop.store(true, Ordering::Relaxed);
                hog.await.expect("the hog ends");
                gap
            });
            within(gap, SLICE * 9 / 10, Duration::from_millis(40))
        });
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// `f(){ spawn f }`.
fn chain(stop: Arc<AtomicBool>) -> Task {
    Box::pin(async move {
        safepoint().await;
        if !stop.load(Ordering::Relaxed) {
            drop(gmp::spawn(chain(stop)));
        }
    })
}

/// Rule R-PREEMPT-7, T-47: a chain of short tasks through `runnext` cannot keep
/// the global queue waiting. Go 1.17 promises nothing here.
#[test]
fn t47_a_chain_of_runnexts_ends_with_its_slice() {
    in_trials(|| {
        let longest = watch_task(builder(Rules::Default, 1), async {
            let stop = Arc::new(AtomicBool::new(false));
            drop(gmp::spawn(chain(Arc::clone(&stop))));
            let longest = gaps(5).await.into_iter().max();
            stop.store(true, Ordering::Relaxed);
            longest.expect("five gaps")
        });
        within(longest, Duration::ZERO, Duration::from_millis(30))
    });
}

/// A semaphore whose release may hand the permit, and the rest of the slice, to
/// who waits longest (R-G-11).
#[derive(Default)]
struct Sema(Mutex<SemaState>);

#[derive(Default)]
struct SemaState {
    permits: u32,
    waiters: VecDeque<Arc<Waiter>>,
}

#[derive(Default)]
struct Waiter {
    granted: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Sema {
    async fn acquire(&self) {
        let waiter = {
            let mut state = self.0.lock().unwrap();
            if state.permits > 0 {
                state.permits -= 1;
                return;
            }
            let waiter = Arc::new(Waiter::default());
            state.waiters.push_back(Arc::clone(&waiter));
            waiter
        };
        poll_fn(|cx| {
            *waiter.waker.lock().unwrap() = Some(cx.waker().clone());
            if waiter.granted.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    /// True: there was a waiter, and it has the permit.
    fn release(&self) -> bool {
        let mut state = self.0.lock().unwrap();
        let Some(waiter) = state.waiters.pop_front() else {
            state.permits += 1;
            return false;
        };
        drop(state);
        waiter.granted.store(true, Ordering::Release);
        let waker = waiter.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    async fn release_with_handoff(&self) {
        if !self.release() {
            return;
        }
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            leaf::goyield(cx);
            Poll::Pending
        })
        .await;
    }

    fn waiters(&self) -> usize {
        self.0.lock().unwrap().waiters.len()
    }
}

/// Whether the waiter ran before the releaser's next instruction.
async fn waiter_was_first(handoff: bool) -> bool {
    let sema = Arc::new(Sema::default());
    let first = Arc::new(AtomicU32::new(0));
    let claim = |first: &AtomicU32, who| {
        let _ = first.compare_exchange(0, who, Ordering::AcqRel, Ordering::Relaxed);
    };
    let waiter = gmp::spawn({
        let (sema, first) = (Arc::clone(&sema), Arc::clone(&first));
        async move {
            sema.acquire().await;
            claim(&first, 1);
        }
    });
    while sema.waiters() == 0 {
        yield_now().await;
    }
    if handoff {
        sema.release_with_handoff().await;
    } else {
        sema.release();
    }
    claim(&first, 2);
    waiter.await.expect("the waiter ends");
    first.load(Ordering::Acquire) == 1
}

/// Rule R-G-11, T-49. Source: Go's TestSemaHandoff, with its count and its bound.
#[test]
fn t49_a_handed_over_permit_is_used_at_once() {
    const TRIES: usize = 10_000;
    for rules in RULES {
        for handoff in [true, false] {
            let root = async move {
                let mut first = 0;
                for _ in 0..TRIES {
                    first += usize::from(waiter_was_first(handoff).await);
                }
                first
            };
            let Run::Ended(first, _) = run(rules, root) else {
                panic!("the semaphore stopped under {rules:?}");
            };
            let wanted = if handoff {
                TRIES * 2 / 3..=TRIES
            } else {
                0..=0
            };
            assert!(
                wanted.contains(&first),
                "{first} of {TRIES} under {rules:?}"
            );
        }
    }
}

/// `amount` units of work, counted, with a safe-point after each thousand.
async fn toil(amount: u64, done: &AtomicU64) {
    for n in 0..amount {
        done.fetch_add(1, Ordering::Relaxed);
        if n % 1000 == 999 {
            safepoint().await;
        }
    }
}

/// Rules R-SCHED-5 and R-SYSMON-3. Source: Go's TestPingPongHog: of two pairs the
/// one that works a thousand times longer at each hop has no more than 20 times
/// the other's share of the P, nor less than a twentieth.
#[test]
fn a_hogging_pair_and_a_light_pair_share_the_p() {
    for rules in RULES {
        in_trials(|| {
            let [hog, light] = watch_task(builder(rules, 1), async {
                let stop = Arc::new(AtomicBool::new(false));
                let done = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
                let mut tasks = Vec::new();
                for (amount, done) in [1_000_000, 1000].into_iter().zip(&done) {
                    tasks.extend(ping_pong(&stop, amount, done));
                }
                gmp::time::sleep(Duration::from_millis(200)).await;
                stop.store(true, Ordering::Relaxed);
                let counts = done.map(|done| done.load(Ordering::Relaxed));
                for task in tasks {
                    task.await.expect("the pairs end");
                }
                counts
            });
            if hog == 0 || light == 0 || hog / light > 20 || light / hog > 20 {
                return Err(format!("{rules:?}: the hogs did {hog}, the others {light}"));
            }
            Ok(())
        });
    }
}

/// Looks for the flag and yields, as long as it takes. Without a bound on time:
/// the watcher has one.
async fn yield_until(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        yield_now().await;
    }
}

async fn set_after_10_ms(flag: Arc<AtomicBool>) {
    gmp::time::sleep(Duration::from_millis(10)).await;
    flag.store(true, Ordering::Release);
}

/// Rule R-G-10. Source: Go's TestYieldProgress.
#[test]
fn a_yielding_loop_starves_nobody() {
    for rules in RULES {
        for procs in [1, 2] {
            watch_task(builder(rules, procs), async {
                let flag = Arc::new(AtomicBool::new(false));
                drop(gmp::spawn(set_after_10_ms(Arc::clone(&flag))));
                yield_until(&flag).await;
            });
        }
    }
}

/// Rules R-G-10 and R-P-11. Source: Go's TestYieldLockedProgress: the yielder is
/// tied to the thread of `block_on`.
#[test]
fn a_yielding_loop_of_a_locked_task_starves_nobody() {
    for rules in RULES {
        for procs in [1, 2] {
            watch(builder(rules, procs), |runtime| {
                runtime.block_on(async {
                    let flag = Arc::new(AtomicBool::new(false));
                    drop(gmp::spawn(set_after_10_ms(Arc::clone(&flag))));
                    let local = gmp::task::spawn_local({
                        let flag = Arc::clone(&flag);
                        async move { yield_until(&flag).await }
                    });
                    yield_until(&flag).await;
                    local.await.expect("the local task ends");
                });
            });
        }
    }
}

/// Rule R-PREEMPT-2. Source: Go's TestPreemption: two tasks that wait for each
/// other in loops, on a P that only one of them can have.
#[test]
fn loops_with_safe_points_are_preempted() {
    const TURNS: u32 = 5;
    for rules in RULES {
        for procs in [1, 2] {
            watch_task(builder(rules, procs), async {
                let turn = Arc::new(AtomicU32::new(0));
                let tasks: Vec<_> = (0..2)
                    .map(|side| {
                        let turn = Arc::clone(&turn);
                        gmp::spawn(async move {
                            for n in 0..TURNS {
                                while turn.load(Ordering::Acquire) != 2 * n + side {
                                    safepoint().await;
                                }
                                turn.fetch_add(1, Ordering::AcqRel);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("both had their turns");
                }
            });
        }
    }
}
