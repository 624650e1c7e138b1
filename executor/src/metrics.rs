//! `Metrics`: one look at all counters.

use crate::latency::Latency;
use crate::probe;
use crate::sched::Sched;
use crate::sync::lock;

/// Counters of a runtime at one moment. Gauges are exact when the runtime is
/// quiet; counters only grow.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Metrics {
    /// One entry a P.
    pub procs: Vec<ProcMetrics>,
    /// Tasks spawned so far.
    pub spawned: u64,
    /// Tasks that have ended.
    pub finished: u64,
    /// Threads, idle ones and those in `block_on` included; sysmon not.
    pub threads: usize,
    /// Threads that wait for a P.
    pub idle_threads: usize,
    /// Ps without work.
    pub idle_procs: usize,
    /// Threads that search for work.
    pub spinning: usize,
    /// Tasks in the global queue.
    pub injector_depth: usize,
    /// Directions of descriptors that a task waits for.
    pub netpoll_waiters: usize,
    /// How long tasks were runnable before they ran.
    pub latency: Latency,
    /// Tasks that gave way because they were asked.
    pub preemptions: u64,
    /// Ps taken out of polls.
    pub handoffs: u64,
    /// Threads that could not be started.
    pub thread_spawn_failures: u64,
    /// Tasks that ended by a panic, whether or not somebody awaited them.
    pub panicked: u64,
    /// Panics of drops and wakers that ended in the runtime, in this process.
    pub contained_panics: u64,
}

/// Counters of one P.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcMetrics {
    /// Tasks in its ring; `runnext` is not counted.
    pub queue_depth: usize,
    /// Runs with a time slice of their own.
    pub ticks: u32,
    /// Polls.
    pub polls: u64,
    /// Successful steals from others.
    pub steals: u64,
    /// Tasks that these brought.
    pub stolen: u64,
    /// Searches of all other Ps.
    pub spins: u64,
    /// Timers in its heap.
    pub timers: usize,
    /// Timers that it fired.
    pub timers_fired: u64,
    /// Takes from the global queue.
    pub global_takes: u64,
}

impl Metrics {
    #[track_caller]
    pub(crate) fn of(sched: &Sched) -> Metrics {
        sched.assert_here();
        // Gauges before counters: if they say that all rest, every run before
        // that is counted.
        let spinning = sched.idle.counts().spinning as usize;
        let (threads, idle_threads, idle_procs) = {
            let guard = sched.lock();
            (
                guard.inner.mcount as usize,
                guard.inner.midle.len(),
                guard.idle_ps(),
            )
        };
        let (spawned, finished) = sched.task_counts();
        debug_assert!(lock(&sched.allm).len() <= threads + 64);
        Metrics {
            procs: sched
                .all_ps()
                .map(|pp| ProcMetrics {
                    queue_depth: pp.runq.len() as usize,
                    ticks: pp.tick_now(),
                    polls: pp.stats.polls.get(),
                    steals: pp.stats.steals.get(),
                    stolen: pp.stats.stolen.get(),
                    spins: pp.stats.spins.get(),
                    timers: pp.timers.live(),
                    timers_fired: pp.stats.timers_fired.get(),
                    global_takes: pp.stats.global_takes.get(),
                })
                .collect(),
            spawned,
            finished,
            threads,
            idle_threads,
            idle_procs,
            spinning,
            injector_depth: sched.global_len(),
            netpoll_waiters: sched.reactor.waiters(),
            latency: Latency::sum(sched.all_ps().map(|pp| &pp.latencies)),
            preemptions: sched.preemptions.get(),
            handoffs: sched.handoffs.get(),
            thread_spawn_failures: sched.thread_failures.get(),
            panicked: sched.panicked.get(),
            contained_panics: probe::contained_panics(),
        }
    }
}
