//! How long the world stands still for a look at all tasks: for a snapshot, which lets
//! it go on at once, and for a walk that keeps it until all are seen, as Go's
//! `runtime.Stack(all = true)` does.

use std::io;
use std::time::Duration;

use gmp::runtime::Handle;
use gmp_executor::snapshot::{Polls, Shot, visit, visit_stopped};
use gmp_profiler::Status;

use crate::pulse::Pulse;

const LOOKS: usize = 40;

/// What the looks of one way took.
struct Costs {
    stops: Vec<Duration>,
    walls: Vec<Duration>,
    /// The worst gap of a heartbeat of a millisecond meanwhile.
    gap: Duration,
}

impl Costs {
    fn new() -> Costs {
        Costs {
            stops: Vec::new(),
            walls: Vec::new(),
            gap: Duration::ZERO,
        }
    }

    fn add(&mut self, shot: &Shot, gap: Duration) {
        self.stops.push(shot.stop);
        self.walls.push(shot.wall);
        self.gap = self.gap.max(gap);
    }
}

/// The time that so many of a hundred do not exceed.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).max(1) - 1]
}

/// Looks at `n` waiting tasks in both ways by turns, and prints what each takes. Fails if
/// they do not see the same.
pub(crate) async fn stopcompare(n: usize) -> io::Result<()> {
    let waiting: Vec<_> = (0..n)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    while gmp_profiler::tasks()
        .iter()
        .any(|task| task.status == Status::Runnable)
    {
        gmp::time::sleep(Duration::from_millis(20)).await;
    }
    let pulse = Pulse::start();
    let handle = Handle::current();
    let (mut goes_on, mut stands) = (Costs::new(), Costs::new());
    for _ in 0..LOOKS {
        // Of what came before.
        pulse.after(Duration::from_millis(10)).await;
        let concurrent = visit(&handle, Polls::Named, |_| ());
        goes_on.add(
            &concurrent,
            pulse.after(Duration::from_millis(10)).await.worst(),
        );
        let stopped = visit_stopped(&handle, Polls::Named, |_| ());
        stands.add(
            &stopped,
            pulse.after(Duration::from_millis(10)).await.worst(),
        );
        if concurrent.tasks != stopped.tasks {
            let [one, other] = [concurrent.tasks, stopped.tasks];
            return Err(io::Error::other(format!("{one} tasks and {other}")));
        }
    }
    pulse.end().await?;
    waiting.iter().for_each(gmp::task::AbortHandle::abort);
    println!("{LOOKS} looks each at {n} tasks");
    let mut p95 = Vec::new();
    for (name, mut costs) in [("snapshot", goes_on), ("walk in a stopped world", stands)] {
        let [half, most, worst] = [50, 95, 100].map(|p| percentile(&mut costs.stops, p));
        let wall = percentile(&mut costs.walls, 50);
        println!(
            "{name}: stop p50 {half:?} p95 {most:?} max {worst:?}; wall p50 {wall:?}; worst gap of a 1 ms heartbeat {:?}",
            costs.gap
        );
        p95.push(most.as_secs_f64());
    }
    println!("p95 of the stop: {:.0} times shorter", p95[1] / p95[0]);
    Ok(())
}
