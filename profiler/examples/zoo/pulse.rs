//! How late a task is that wakes every millisecond: what others feel of diagnostics.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gmp::task::JoinHandle;
use gmp::time::sleep;

/// The task, until it is ended.
pub(crate) struct Pulse {
    on: Arc<AtomicBool>,
    gaps: Arc<Mutex<Vec<Duration>>>,
    task: JoinHandle<()>,
}

/// From one wake to the next, the shortest first.
#[derive(Default)]
pub(crate) struct Gaps(Vec<Duration>);

impl Pulse {
    pub(crate) fn start() -> Pulse {
        let on = Arc::new(AtomicBool::new(true));
        let gaps = Arc::<Mutex<Vec<Duration>>>::default();
        let (until, told) = (on.clone(), gaps.clone());
        let task = gmp::spawn(async move {
            let mut last = Instant::now();
            while until.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(1)).await;
                let now = Instant::now();
                let mut gaps = told.lock().unwrap_or_else(PoisonError::into_inner);
                gaps.push(now - last);
                last = now;
            }
        });
        Pulse { on, gaps, task }
    }

    /// The gaps since the last call, after that much time.
    pub(crate) async fn after(&self, time: Duration) -> Gaps {
        sleep(time).await;
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gaps = std::mem::take(&mut *gaps);
        gaps.sort_unstable();
        Gaps(gaps)
    }

    pub(crate) async fn end(self) -> io::Result<()> {
        self.on.store(false, Ordering::Relaxed);
        self.task.await.map_err(io::Error::other)
    }
}

impl Gaps {
    pub(crate) fn worst(&self) -> Duration {
        self.percentile(100)
    }

    /// That which one of a hundred exceeds.
    pub(crate) fn p99(&self) -> Duration {
        self.percentile(99)
    }

    fn percentile(&self, percent: usize) -> Duration {
        let at = (self.0.len() * percent).div_ceil(100);
        at.checked_sub(1).map_or(Duration::ZERO, |at| self.0[at])
    }

    pub(crate) fn add(&mut self, others: Gaps) {
        self.0.extend(others.0);
        self.0.sort_unstable();
    }
}

/// Prints the beats with nothing beside them, and those with something, which came by
/// turns: so what else the machine did is in both.
pub(crate) fn table<const N: usize>(without: &Gaps, with: [(&str, &Gaps); N]) {
    println!("a heartbeat of 1 ms     beats       p50       p99     worst  beyond the p99 without");
    for (name, gaps) in [("without", without)].into_iter().chain(with) {
        let [half, most, worst] = [50, 99, 100].map(|p| gaps.percentile(p));
        let beyond = worst.saturating_sub(without.p99());
        println!(
            "{name:<19} {:>9} {half:>9.2?} {most:>9.2?} {worst:>9.2?} {beyond:>9.2?}",
            gaps.0.len()
        );
    }
}
