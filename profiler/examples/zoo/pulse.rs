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
        self.0.last().copied().unwrap_or_default()
    }

    /// That which one of a hundred exceeds.
    pub(crate) fn p99(&self) -> Duration {
        self.0
            .get(self.0.len() * 99 / 100)
            .copied()
            .unwrap_or_default()
    }
}
