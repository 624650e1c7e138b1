//! T-91: how long tasks are runnable, as the metrics show it.

use std::thread;
use std::time::Duration;

use super::kit::{RULES, World};
use crate::latency::Latency;
use crate::ready::Manner;

const X: u64 = 1;
const PATIENCE: Duration = Duration::from_millis(5);

/// Rule R-TRACE-5, T-91. A task that was runnable for 5 ms adds to what lies at 5 ms
/// or above; one that is not timed adds nothing.
#[test]
fn t91_a_wait_on_a_queue_is_a_sample() {
    for rules in RULES {
        let world = World::new(rules, 1);
        let m = world.m();
        let pp = m.must_p();
        let samples = || Latency::sum([&pp.latencies].into_iter());
        let waker = world.parked_g(&m, X);
        waker.wake_by_ref();
        assert_eq!(world.rounds(&m, 1), [X]);
        assert_eq!(samples().samples(), 0, "one transition in 256 is timed");

        let waker = world.parked_g(&m, X);
        Manner::set_timed(&m.manner, true);
        pp.sampler.hurry();
        world.sched.outside.hurry();
        waker.wake_by_ref();
        thread::sleep(PATIENCE);
        assert_eq!(world.rounds(&m, 1), [X]);
        let samples = samples();
        assert_eq!(samples.samples(), 1, "{rules:?}");
        assert!(samples.quantile(0.0).is_some_and(|wait| wait >= PATIENCE));
    }
}
