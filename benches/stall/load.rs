//! What every runtime is given to do, and what is noted of it.

use std::fmt;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Bytes of a request and of its answer.
pub(crate) const MESSAGE: usize = 64;
/// Between two ticks, and between an answer and the next request.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// What a hog does between two points at which it gives way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hog {
    /// Computes so many milliseconds, by a fixed amount of work.
    Compute(u32),
    /// Sleeps so many milliseconds in the kernel.
    Sleep(u32),
    /// Never gives way by itself: writes to and reads from a socket that is
    /// always ready.
    Ready,
}

impl Hog {
    pub(crate) const ALL: [Hog; 4] = [
        Hog::Compute(20),
        Hog::Compute(50),
        Hog::Sleep(50),
        Hog::Ready,
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Hog::Compute(ms) => format!("compute{ms}"),
            Hog::Sleep(ms) => format!("sleep{ms}"),
            Hog::Ready => "ready".to_owned(),
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Hog> {
        Hog::ALL.into_iter().find(|hog| hog.name() == name)
    }
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) hog: Hog,
    pub(crate) k: usize,
    pub(crate) run: Duration,
    /// Steps of [`work`] in a millisecond.
    pub(crate) work: u64,
}

impl Plan {
    /// A turn that blocks or computes. Hogs of the third kind do not come here.
    pub(crate) fn turn(&self) {
        match self.hog {
            Hog::Compute(ms) => work(self.work * u64::from(ms)),
            Hog::Sleep(ms) => std::thread::sleep(Duration::from_millis(u64::from(ms))),
            Hog::Ready => unreachable!("needs a socket of the runtime"),
        }
    }
}

/// Computes; each step depends on the one before.
fn work(steps: u64) {
    let mut x = black_box(1_u64);
    for _ in 0..steps {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
    black_box(x);
}

/// Steps in a millisecond, by the best of some tries.
pub(crate) fn calibrate() -> u64 {
    const STEPS: u64 = 200_000;
    let best = (0..40)
        .map(|_| {
            let start = Instant::now();
            work(STEPS);
            start.elapsed()
        })
        .min()
        .expect("some tries");
    (STEPS as f64 * 1e-3 / best.as_secs_f64()) as u64
}

/// What the tasks of a run share.
#[derive(Debug, Default)]
pub(crate) struct Board {
    stop: AtomicBool,
    turns: AtomicU64,
    ticks: Mutex<Vec<Duration>>,
    echoes: Mutex<Vec<Duration>>,
}

impl Board {
    pub(crate) fn new() -> Arc<Board> {
        Arc::default()
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// A hog has finished a turn.
    pub(crate) fn turned(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// A tick that was begun at `start` has come.
    pub(crate) fn ticked(&self, start: Instant) {
        let late = start.elapsed().saturating_sub(TICK);
        self.ticks.lock().expect("no panic under it").push(late);
    }

    /// A request that was begun at `start` has its answer.
    pub(crate) fn answered(&self, start: Instant) {
        self.echoes
            .lock()
            .expect("no panic under it")
            .push(start.elapsed());
    }

    /// Waits on the calling thread, which belongs to no runtime, and ends the
    /// run. The turns are those of the time until then; a tick or an answer that
    /// is overdue by then counts when it comes.
    pub(crate) fn time(&self, run: Duration) -> u64 {
        std::thread::sleep(run);
        self.stop.store(true, Ordering::Relaxed);
        self.turns.load(Ordering::Relaxed)
    }

    /// The outcome, after every task has ended.
    pub(crate) fn outcome(&self, turns: u64) -> Outcome {
        let take = |of: &Mutex<Vec<Duration>>| {
            Times::of(std::mem::take(&mut *of.lock().expect("no panic under it")))
        };
        Outcome {
            ticks: take(&self.ticks),
            echoes: take(&self.echoes),
            turns,
        }
    }
}

/// Quantiles of a list of durations, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Times {
    fn of(mut list: Vec<Duration>) -> Times {
        list.sort_unstable();
        let at = |q: f64| {
            let index = ((list.len() as f64 * q) as usize).min(list.len().saturating_sub(1));
            list.get(index).map_or(f64::NAN, |d| d.as_secs_f64() * 1e6)
        };
        Times {
            count: list.len() as u64,
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

/// What came of a run; printed by the child in one line, read by the parent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) ticks: Times,
    pub(crate) echoes: Times,
    pub(crate) turns: u64,
}

impl Outcome {
    pub(crate) fn parse(text: &str) -> Option<Outcome> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("outcome "))?;
        let n: Vec<f64> = line
            .split(' ')
            .map_while(|word| word.parse().ok())
            .collect();
        let &[tn, t50, t99, tmax, en, e50, e99, emax, turns] = n.as_slice() else {
            return None;
        };
        let times = |count: f64, p50, p99, max| Times {
            count: count as u64,
            p50,
            p99,
            max,
        };
        Some(Outcome {
            ticks: times(tn, t50, t99, tmax),
            echoes: times(en, e50, e99, emax),
            turns: turns as u64,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "outcome")?;
        for t in [self.ticks, self.echoes] {
            write!(f, " {} {:.1} {:.1} {:.1}", t.count, t.p50, t.p99, t.max)?;
        }
        write!(f, " {}", self.turns)
    }
}
