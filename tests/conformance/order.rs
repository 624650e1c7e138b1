//! Orders that a program can see on one P, by their numbers in the rule sheet.
//!
//! Each test runs under both rule sets on a fresh runtime. The tasks only note that they ran; what
//! is right follows from the rules, worked out by [`order_after_spawns`] where it depends on where
//! schedtick stands.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use gmp::__private::testing::{schedtick, set_schedtick};

use crate::one_p::{RULES, Run, run};

/// Slots of the local ring.
const RING: usize = 256;
/// Tasks that leave a full ring at once, and the most that come back in one batch.
const HALF: usize = 128;
/// Every so many new slices the global queue goes first.
const GLOBAL_EVERY: u32 = 61;

/// Notes who ran, and wakes whoever waits for the last one.
#[derive(Default)]
struct Log(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    ran: Vec<u32>,
    awaited: usize,
    waiter: Option<Waker>,
}

impl Log {
    fn note(&self, who: u32) {
        let mut noted = self.0.lock().unwrap();
        noted.ran.push(who);
        let waiter = if noted.ran.len() == noted.awaited {
            noted.waiter.take()
        } else {
            None
        };
        drop(noted);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Parks until `count` notes are there; gives them.
    async fn after(&self, count: usize) -> Vec<u32> {
        poll_fn(|cx| {
            let mut noted = self.0.lock().unwrap();
            if noted.ran.len() == count {
                return Poll::Ready(noted.ran.clone());
            }
            noted.awaited = count;
            noted.waiter = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// What `root` gives; under both rule sets it must be what the test expects.
fn on_one_p<F, T>(expected: &T, root: impl Fn(Arc<Log>) -> F)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + PartialEq + std::fmt::Debug + 'static,
{
    for rules in RULES {
        match run(rules, root(Arc::default())) {
            Run::Ended(got, _) => assert_eq!(&got, expected, "under {rules:?}"),
            Run::Panicked => panic!("the root task panicked under {rules:?}"),
            Run::Hung => panic!("the root task does not end under {rules:?}"),
        }
    }
}

fn spawn_noting(log: &Arc<Log>, who: u32) {
    let log = Arc::clone(log);
    drop(gmp::spawn(async move { log.note(who) }));
}

/// The order in which 1..=`count` run that one task spawns before it parks with schedtick at
/// `tick`: R-G-5, R-RUNQ-3, R-RUNQ-4, R-SCHED-3, R-SCHED-5 and R-RUNQ-9.
fn order_after_spawns(count: u32, mut tick: u32) -> Vec<u32> {
    let (mut ring, mut global) = (VecDeque::new(), VecDeque::new());
    // Each spawn takes runnext and sends the one before to the ring, so the last is in runnext.
    for kicked in 1..count {
        if ring.len() == RING {
            global.extend(ring.drain(..HALF));
            global.push_back(kicked);
        } else {
            ring.push_back(kicked);
        }
    }
    let mut runnext = Some(count);
    let mut ran = Vec::new();
    loop {
        let in_turn = if tick.is_multiple_of(GLOBAL_EVERY) {
            global.pop_front()
        } else {
            None
        };
        if in_turn.is_none()
            && let Some(inherits) = runnext.take()
        {
            ran.push(inherits);
            continue;
        }
        let next = in_turn.or_else(|| ring.pop_front()).or_else(|| {
            ring.extend(global.drain(..global.len().min(HALF)));
            ring.pop_front()
        });
        let Some(next) = next else { return ran };
        tick += 1;
        ran.push(next);
    }
}

/// A root that spawns 1..=`count` with schedtick at `tick` and parks; gives who ran.
async fn spawn_and_park(log: Arc<Log>, count: u32, tick: u32) -> Vec<u32> {
    set_schedtick(tick);
    for who in 1..=count {
        spawn_noting(&log, who);
    }
    log.after(count as usize).await
}

/// Rule T-05. Spawned 1..10 run as 10, 1, 2, …, 9: the last one sits in runnext, the others went
/// through it to the ring. Source: newproc, runqput.
#[test]
fn t05_last_spawned_runs_first() {
    let expected = vec![10, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    on_one_p(&expected, async |log: Arc<Log>| {
        for who in 1..=10 {
            spawn_noting(&log, who);
        }
        log.after(10).await
    });
}

/// Rule T-06, as measured in Go. The 258th spawn moves 1..128 and 257 to the global queue; the
/// global queue gives its head after every 60 local runs and the rest when the ring is empty.
/// With schedtick at 27 the first head comes after 34 runs of the ring.
#[test]
fn t06_overflow_of_258_in_the_measured_phase() {
    let expected: Vec<u32> = [258]
        .into_iter()
        .chain(129..=162)
        .chain([1])
        .chain(163..=222)
        .chain([2])
        .chain(223..=256)
        .chain(3..=128)
        .chain([257])
        .collect();
    assert_eq!(order_after_spawns(258, 27), expected);
    on_one_p(&expected, |log| spawn_and_park(log, 258, 27));
}

/// Rule T-06. The same wherever schedtick stands between two turns of the global queue.
#[test]
fn t06_overflow_of_258_in_every_phase() {
    for phase in 0..GLOBAL_EVERY {
        on_one_p(&order_after_spawns(258, phase), |log| {
            spawn_and_park(log, 258, phase)
        });
    }
}

/// Rule T-06. With schedtick as the runtime has it at the start.
#[test]
fn t06_overflow_of_258_as_started() {
    on_one_p(&true, async |log: Arc<Log>| {
        let tick = schedtick();
        for who in 1..=258 {
            spawn_noting(&log, who);
        }
        assert_eq!(schedtick(), tick, "spawning starts no slice");
        log.after(258).await == order_after_spawns(258, tick)
    });
}

/// Rule T-07. Of 300 spawned, 300 is first; 129..256 and 258..299 follow in order with the same
/// heads of the global queue between them; then its rest, 257 last.
#[test]
fn t07_overflow_of_300() {
    for phase in [0, 1, 27, 60] {
        let expected = order_after_spawns(300, phase);
        assert_eq!(expected.last(), Some(&257));
        let from_ring = expected
            .iter()
            .copied()
            .filter(|&who| who > 128 && who != 257);
        assert!(from_ring.eq([300].into_iter().chain(129..=256).chain(258..=299)));
        on_one_p(&expected, |log| spawn_and_park(log, 300, phase));
    }
}

/// Rule T-08. Parked 0..4, woken in this order by one running task that then parks, run as
/// 4, 0, 1, 2, 3. Source: ready, runqput.
#[test]
fn t08_last_woken_runs_first() {
    on_one_p(&vec![4, 0, 1, 2, 3], async |log: Arc<Log>| {
        let parked: Arc<Mutex<Vec<Option<Waker>>>> = Arc::new(Mutex::new(vec![None; 5]));
        for who in 0..5 {
            let (log, parked) = (Arc::clone(&log), Arc::clone(&parked));
            let mut woken = false;
            drop(gmp::spawn(async move {
                poll_fn(|cx| {
                    if woken {
                        return Poll::Ready(());
                    }
                    woken = true;
                    parked.lock().unwrap()[who] = Some(cx.waker().clone());
                    Poll::Pending
                })
                .await;
                log.note(u32::try_from(who).unwrap());
            }));
        }
        // Every yield lets at least the next one of them park.
        while parked.lock().unwrap().iter().any(Option::is_none) {
            gmp::task::yield_now().await;
        }
        let wakers = parked.lock().unwrap().split_off(0);
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
        log.after(5).await
    });
}

/// Rule T-41. A has C in the ring, spawns B and yields: B runs on the rest of A's slice, then C,
/// then A from the global queue; only C and A start new slices. Source: Gosched, execute.
#[test]
fn t41_yield_goes_behind_runnext_and_ring() {
    const A: u32 = 0;
    const B: u32 = 1;
    const C: u32 = 2;
    let expected = vec![(B, 1), (C, 2), (A, 3)];
    on_one_p(&expected, async |_: Arc<Log>| {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let noting = |who| {
            let ran = Arc::clone(&ran);
            async move { ran.lock().unwrap().push((who, schedtick())) }
        };
        set_schedtick(1);
        // B takes runnext from C, which goes to the ring.
        drop(gmp::spawn(noting(C)));
        drop(gmp::spawn(noting(B)));
        gmp::task::yield_now().await;
        noting(A).await;
        ran.lock().unwrap().clone()
    });
}

/// Rule T-41, where schedtick stands at a multiple of 61: the yielder, alone in the global queue,
/// goes first and finds runnext and the ring as it left them.
#[test]
fn t41_yield_at_a_global_turn_returns_at_once() {
    on_one_p(&(vec![0, 2, 1], 62), async |log: Arc<Log>| {
        set_schedtick(61);
        spawn_noting(&log, 1);
        spawn_noting(&log, 2);
        gmp::task::yield_now().await;
        let tick = schedtick();
        log.note(0);
        (log.after(3).await, tick)
    });
}

/// Rule T-48. A task that wakes itself and returns `Pending` goes to the tail of the ring, not to
/// runnext: two of them take turns, every turn a new slice. Source: R-G-9 (b), goyield.
#[test]
fn t48_self_wake_alternates_with_a_peer() {
    const TURNS: u32 = 200;
    let in_turns = (0..2 * TURNS).map(|turn| (turn + 1) % 2);
    let expected: (Vec<u32>, u32) = (in_turns.collect(), 2 * TURNS - 1);
    on_one_p(&expected, async |log: Arc<Log>| {
        set_schedtick(1);
        for who in 0..2 {
            let log = Arc::clone(&log);
            drop(gmp::spawn(async move {
                let mut turns = 0;
                poll_fn(|cx| {
                    turns += 1;
                    log.note(who);
                    if turns == TURNS {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }));
        }
        let ran = log.after(2 * TURNS as usize).await;
        // 1 came from runnext and inherited; every other turn came from the ring. The root comes
        // back through runnext.
        (ran, schedtick() - 1)
    });
}
