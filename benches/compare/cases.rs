//! The table of cases: what is run, how large, and which figure decides.

use crate::kit::scale::Scale;
use crate::measure::Sample;
use crate::peer::Peer;
use crate::runtime::Runtime;
use crate::work::{http, idle, net, spawn, steal, timers, wake};

impl Scale {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Full, Self::Quick, Self::Test]
            .into_iter()
            .find(|scale| scale.name() == name)
    }
}

/// The figure that a case is judged by; less is better in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Time that passes for one operation.
    Wall,
    /// CPU time spent on one operation.
    Cpu,
    /// Memory that one operation leaves resident.
    Memory,
    /// CPU time spent in a second.
    CpuPerSecond,
}

impl Metric {
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Wall => "ns/op",
            Self::Cpu => "cpu ns/op",
            Self::Memory => "B/op",
            Self::CpuPerSecond => "cpu us/s",
        }
    }

    pub(crate) fn of(self, sample: &Sample) -> f64 {
        let per_op = |total: u64| total as f64 / sample.ops as f64;
        match self {
            Self::Wall => per_op(sample.wall_ns),
            Self::Cpu => per_op(sample.cpu_ns),
            Self::Memory => per_op(sample.grown),
            Self::CpuPerSecond => sample.cpu_ns as f64 * 1e6 / sample.wall_ns as f64,
        }
    }
}

/// How the parent process runs a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// The child does all of it.
    Alone,
    /// The child is an HTTP server and the load comes from outside.
    Served,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) suite: &'static str,
    pub(crate) name: &'static str,
    pub(crate) metric: Metric,
    pub(crate) drive: Drive,
    pub(crate) about: &'static str,
    /// Contenders to whom the case says nothing.
    pub(crate) without: &'static [Peer],
}

impl Case {
    const fn new(
        suite: &'static str,
        name: &'static str,
        metric: Metric,
        about: &'static str,
    ) -> Self {
        Self {
            suite,
            name,
            metric,
            drive: Drive::Alone,
            about,
            without: &[],
        }
    }

    const fn without(mut self, peers: &'static [Peer]) -> Self {
        self.without = peers;
        self
    }

    const fn served(mut self) -> Self {
        self.drive = Drive::Served;
        self
    }
}

/// smol's two executors differ in how they spawn and run tasks, not in timers and sockets.
const EXECUTOR_ONLY: &[Peer] = &[Peer::SmolStatic];

#[rustfmt::skip]
pub(crate) static CASES: &[Case] = &[
    Case::new("spawn", "spawn_many", Metric::Wall, "one task spawns all and waits until they have run"),
    Case::new("spawn", "spawn_join", Metric::Wall, "one task spawns another and awaits it, again and again"),
    Case::new("spawn", "chained_spawn", Metric::Wall, "each task spawns the next one"),
    Case::new("spawn", "spawn_external", Metric::Wall, "a thread outside the runtime spawns all").without(&[Peer::Go]),
    Case::new("wake", "yield_many", Metric::Wall, "a thousand tasks yield by turns"),
    Case::new("wake", "ping_pong_1", Metric::Wall, "round trips of one pair of tasks"),
    Case::new("wake", "ping_pong_64", Metric::Wall, "round trips of 64 pairs of tasks"),
    Case::new("wake", "wake_storm", Metric::Wall, "one task wakes a thousand, which all report back"),
    Case::new("steal", "tree", Metric::Wall, "each task spawns two, three quarters of the tree below the first"),
    Case::new("steal", "bag", Metric::Wall, "tasks of 3 us, all spawned by one task"),
    Case::new("timers", "timer_churn", Metric::Wall, "arm a timer and cancel it, beside a thousand that stand and one that ticks").without(EXECUTOR_ONLY),
    Case::new("timers", "sleep_1m", Metric::Cpu, "a million tasks sleep, due within one second (quick: 100,000); lateness").without(EXECUTOR_ONLY),
    Case::new("net", "tcp_echo_1", Metric::Wall, "64 bytes there and back, one connection, both ends in the process").without(EXECUTOR_ONLY),
    Case::new("net", "tcp_echo_64", Metric::Wall, "64 bytes there and back, 64 connections, both ends in the process").without(EXECUTOR_ONLY),
    Case::new("net", "connect_churn", Metric::Wall, "connect, one 64-byte echo, reset; 8 clients").without(EXECUTOR_ONLY),
    Case::new("http", "http_hello", Metric::Cpu, "hello world over 64 kept connections; CPU of the server alone").served().without(EXECUTOR_ONLY),
    Case::new("idle", "idle_cpu", Metric::CpuPerSecond, "1000 parked tasks, 100 sleepers, 64 silent connections").without(EXECUTOR_ONLY),
    Case::new("idle", "parked_bytes", Metric::Memory, "resident memory of a parked task that holds two pointers"),
];

pub(crate) fn by_name(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

/// Runs the case `name` on `R`: the measured process's whole job.
pub(crate) async fn perform<R: Runtime>(name: &str, scale: Scale) -> Sample {
    match name {
        "spawn_many" => spawn::many::<R>(scale).await,
        "spawn_join" => spawn::join::<R>(scale).await,
        "chained_spawn" => spawn::chained::<R>(scale).await,
        "spawn_external" => spawn::external::<R>(scale).await,
        "yield_many" => wake::yields::<R>(scale).await,
        "ping_pong_1" => wake::ping_pong::<R>(1, scale).await,
        "ping_pong_64" => wake::ping_pong::<R>(64, scale).await,
        "wake_storm" => wake::storm::<R>(scale).await,
        "tree" => steal::tree::<R>(scale).await,
        "bag" => steal::bag::<R>(scale).await,
        "timer_churn" => timers::churn::<R>(scale).await,
        "sleep_1m" => timers::sleepers::<R>(scale).await,
        "tcp_echo_1" => net::echo::<R>(1, scale).await,
        "tcp_echo_64" => net::echo::<R>(64, scale).await,
        "connect_churn" => net::churn::<R>(scale).await,
        "http_hello" => http::serve::<R>().await,
        "idle_cpu" => idle::cpu::<R>(scale).await,
        "parked_bytes" => idle::parked::<R>(scale).await,
        _ => unreachable!("{name} is in the table of cases"),
    }
}
