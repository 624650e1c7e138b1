//! How long tasks are runnable before they run, by samples (R-TRACE-5).
//!
//! One transition in about 250 takes the time when it makes a task runnable; the poll that
//! follows takes it again. An M, which makes most tasks runnable, counts none of them: now
//! and then its look at the global queue asks for the time of the next. Go times one in eight; but the two readings of the clock
//! cost as much as two wakes do here, and a service has wakes enough. The stamp lies
//! in the park record, whose own time means nothing while the task is runnable. A
//! snapshot may need that time after the wake: while one is open nothing is
//! stamped. Buckets are a quarter of an octave, so
//! that a quantile is off by a fifth at most.

use std::time::Duration;

use crate::g::{Header, ReadyG};
use crate::m::M;
use crate::p::Counter;
use crate::probe;
use crate::proc::FAIRNESS;
use crate::ready::Manner;
use crate::sched::Sched;
use crate::sync::{AtomicU32, Ordering};

/// Stamps count this many nanoseconds, as a power of two: 32 bits last 18 minutes.
const TICK: u32 = 8;
/// Below the first octave everything is one bucket: 256 ns.
const FIRST_OCTAVE: u32 = TICK;
/// The last bucket has no upper end; it begins after 17 minutes.
const OCTAVES: u32 = 32;
const PARTS: u32 = 4;
const BUCKETS: usize = (OCTAVES * PARTS + 1) as usize;

/// Between two samples of a [`Sampler`].
const EVERY: u32 = 256;
/// Looks at the global queue between two samples of an M: 244 ticks.
const LOOKS: u32 = 4;

/// A time, to be taken from another one.
fn stamp(nanos: u64) -> u32 {
    (nanos >> TICK) as u32
}

/// The time since the stamp, in nanoseconds.
fn since(stamped: u32, now: u64) -> u64 {
    u64::from(stamp(now).wrapping_sub(stamped)) << TICK
}

/// Chooses one transition in [`EVERY`] of those by events and from outside. One writer at a
/// time, or a few lost counts.
#[derive(Debug)]
pub(crate) struct Sampler(AtomicU32);

impl Sampler {
    pub(crate) fn new() -> Sampler {
        Sampler(AtomicU32::new(EVERY))
    }

    #[inline]
    fn is_due(&self) -> bool {
        let left = self.0.load(Ordering::Relaxed).wrapping_sub(1); // ord: a count
        self.0.store(left, Ordering::Relaxed); // ord: a count
        // Two that count at once may pass zero by: then the next one is due.
        left.cast_signed() <= 0
    }

    fn restart(&self) {
        self.0.store(EVERY, Ordering::Relaxed); // ord: a count
    }

    /// The next transition is due.
    #[cfg(test)]
    pub(crate) fn hurry(&self) {
        self.0.store(1, Ordering::Relaxed); // ord: a count
    }
}

/// A task becomes runnable and is in the caller's hands.
#[inline]
pub(crate) fn sample(sched: &Sched, sampler: &Sampler, gp: &ReadyG) {
    if probe::ON && sampler.is_due() {
        take_time(sched, sampler, gp);
    }
}

#[cold]
fn take_time(sched: &Sched, sampler: &Sampler, gp: &ReadyG) {
    sampler.restart();
    stamp_now(sched, gp);
}

/// `m` looks at the global queue, at this tick of its P or because a chain of tasks has used
/// up its slice: the time of the next transition is wanted, or not yet.
pub(crate) fn ask(m: &M, tick: u32, breaks_chain: bool) {
    if probe::ON && (breaks_chain || tick / FAIRNESS % LOOKS == LOOKS - 1) {
        Manner::set_timed(&m.manner, true);
    }
}

/// A task becomes runnable and is in the hands of `m`.
#[inline]
pub(crate) fn sample_here(m: &M, gp: &ReadyG) {
    if m.manner.get().is_timed() {
        time_here(m, gp);
    }
}

#[cold]
fn time_here(m: &M, gp: &ReadyG) {
    Manner::set_timed(&m.manner, false);
    stamp_now(&m.sched, gp);
}

fn stamp_now(sched: &Sched, gp: &ReadyG) {
    if probe::is_quiet() {
        gp.header().park.stamp(stamp(sched.real_nanotime()));
    }
}

/// The poll of a task begins.
#[inline]
pub(crate) fn note(m: &M, header: &Header) {
    if let Some(stamped) = header.park.take_stamp()
        && let Some(pp) = m.p()
    {
        pp.latencies.record(stamped, m.sched.real_nanotime());
    }
}

/// One P's samples.
pub(crate) struct Latencies([Counter; BUCKETS]);

impl Latencies {
    pub(crate) fn new() -> Latencies {
        Latencies(std::array::from_fn(|_| Counter::default()))
    }

    /// Owner only: the poll of a task begins that has a stamp.
    #[cold]
    pub(crate) fn record(&self, stamped: u32, now: u64) {
        self.0[bucket(since(stamped, now))].add(1);
    }
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Latencies")
    }
}

fn bucket(nanos: u64) -> usize {
    let octave = nanos.checked_ilog2().unwrap_or(0);
    if octave < FIRST_OCTAVE {
        return 0;
    }
    let part = (nanos >> (octave - 2)) as u32 % PARTS;
    let at = 1 + (octave - FIRST_OCTAVE) * PARTS + part;
    (at as usize).min(BUCKETS - 1)
}

/// Where a bucket ends, in nanoseconds; the last one has no end.
fn end(bucket: usize) -> u64 {
    let Some(at) = (bucket as u32).checked_sub(1) else {
        return 1 << FIRST_OCTAVE;
    };
    if bucket == BUCKETS - 1 {
        return u64::MAX;
    }
    let octave = FIRST_OCTAVE + at / PARTS;
    (1 << octave) + (u64::from(at % PARTS + 1) << (octave - 2))
}

/// How long tasks were runnable before they ran, since the runtime's start: a
/// histogram over one transition in 256. Tasks that are polled without a P, because
/// they held one up before, are not in it, nor those that only one thread may poll.
/// From [`Metrics`](crate::Metrics).
///
/// Two of them, taken some time apart, tell of the time between: see
/// [`since`](Self::since).
///
/// ```
/// # let handle = gmp_executor::Handle::current();
/// let before = handle.metrics().latency;
/// handle.block_on(async {
///     for _ in 0..1000 {
///         gmp_executor::spawn(async {}).await.expect("no panic");
///     }
/// });
/// let latency = handle.metrics().latency.since(&before);
/// assert!(latency.samples() > 0);
/// println!("p99 {:?}", latency.quantile(0.99));
/// ```
#[derive(Debug, Clone)]
pub struct Latency {
    counts: Box<[u64; BUCKETS]>,
}

impl Latency {
    pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Latencies>) -> Latency {
        let mut counts = Box::new([0; BUCKETS]);
        for one in all {
            for (sum, count) in counts.iter_mut().zip(&one.0) {
                *sum += count.get();
            }
        }
        Latency { counts }
    }

    /// What was added since `earlier`, a histogram of the same runtime.
    #[must_use]
    pub fn since(&self, earlier: &Latency) -> Latency {
        let mut counts = self.counts.clone();
        for (count, before) in counts.iter_mut().zip(earlier.counts.iter()) {
            *count = count.saturating_sub(*before);
        }
        Latency { counts }
    }

    /// How many transitions were timed.
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The time that a share `q` of the samples did not exceed, from 0 to 1; at
    /// most a fifth too much. None without a sample.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let samples = self.samples();
        let rank = (q.clamp(0.0, 1.0) * samples as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets().find_map(|(end, count)| {
            seen += count;
            (seen >= rank).then_some(end)
        })
    }

    /// Where each bucket ends, and how many samples it has; those without are left
    /// out. The last possible end is `Duration` of 2⁶⁴ ns: no end.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let all = self.counts.iter().enumerate();
        all.filter(|(_, count)| **count > 0)
            .map(|(i, count)| (Duration::from_nanos(end(i)), *count))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BUCKETS, EVERY, Latencies, Latency, Sampler, bucket, end, since, stamp};
    use crate::sync::Ordering;

    #[test]
    fn a_bucket_holds_what_lies_below_its_end() {
        assert_eq!(bucket(0), 0);
        for nanos in (0..200_000).chain((20..41).map(|n| (1 << n) + 12_345)) {
            let at = bucket(nanos);
            assert!(nanos < end(at), "{nanos} in {at}");
            assert!(at == 0 || nanos >= end(at - 1), "{nanos} in {at}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(end(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn a_stamp_may_wrap() {
        let before = (1_u64 << 40) - 1000;
        assert!((4_864..=5_376).contains(&since(stamp(before), before + 5_120)));
    }

    #[test]
    fn one_in_so_many_is_due() {
        let sampler = Sampler::new();
        let takes = || {
            let due = sampler.is_due();
            if due {
                sampler.restart();
            }
            due
        };
        assert_eq!((0..10 * EVERY).filter(|_| takes()).count(), 10);
        sampler.hurry();
        assert!(takes() && !takes());
        sampler.0.store(0, Ordering::Relaxed); // ord: a count
        assert!(takes(), "a count that was passed by");
    }

    #[test]
    fn quantiles_and_differences() {
        let counts = Latencies::new();
        assert_eq!(Latency::sum([&counts].into_iter()).quantile(0.5), None);
        for _ in 0..90 {
            counts.record(stamp(0), 10_000);
        }
        let early = Latency::sum([&counts].into_iter());
        for _ in 0..10 {
            counts.record(stamp(0), 5_000_000);
        }
        let all = Latency::sum([&counts].into_iter());
        assert_eq!(all.samples(), 100);
        let p50 = all.quantile(0.5).expect("samples");
        assert!(p50 >= Duration::from_micros(10) && p50 <= Duration::from_micros(12));
        let p99 = all.quantile(0.99).expect("samples");
        assert!(p99 >= Duration::from_millis(5) && p99 <= Duration::from_millis(6));
        let rest = all.since(&early);
        assert_eq!((rest.samples(), rest.quantile(0.0)), (10, Some(p99)));
    }
}
