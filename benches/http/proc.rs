//! What the system tells of a process from outside, and on which CPU one runs. Linux alone; elsewhere nothing is told.

use std::fs;
use std::process;
use std::time::Duration;

/// A unit of CPU time in `/proc`, on every architecture that has these runtimes.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of all threads of a process, ended ones included.
pub(crate) fn cpu(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything. The state comes next, and user and system time 11 fields on.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map_while(|n| n.parse().ok());
    let (user, system): (u32, u32) = (times.next()?, times.next()?);
    Some(TICK * (user + system))
}

pub(crate) fn own_cpu() -> Option<Duration> {
    cpu(process::id())
}

/// The most memory ever resident, in bytes.
pub(crate) fn peak_rss(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// CPU time that the whole machine has spent on anything but idling, time stolen by a hypervisor included.
pub(crate) fn machine_busy() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.split_whitespace().skip(1);
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let busy: u32 = fields
        .take(8)
        .enumerate()
        .filter(|(i, _)| !matches!(i, 3 | 4))
        .map(|(_, n)| n.parse().unwrap_or(0))
        .sum();
    Some(TICK * busy)
}

/// Holds the calling thread, and with it what it starts, on one CPU; drop sets it free.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Pinned {
    before: rustix::thread::CpuSet,
    second: rustix::thread::CpuSet,
}

#[cfg(target_os = "linux")]
impl Pinned {
    /// `None` where fewer than two CPUs may be used.
    pub(crate) fn to_first() -> Option<Self> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let before = sched_getaffinity(None).ok()?;
        let mut cpus = (0..CpuSet::MAX_CPU)
            .filter(|&cpu| before.is_set(cpu))
            .map(|cpu| {
                let mut only = CpuSet::new();
                only.set(cpu);
                only
            });
        let (first, second) = (cpus.next()?, cpus.next()?);
        sched_setaffinity(None, &first).ok()?;
        Some(Self { before, second })
    }

    pub(crate) fn move_to_second(&self) {
        rustix::thread::sched_setaffinity(None, &self.second)
            .expect("the CPU was in the set a moment ago");
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        // The set was valid before; should it have shrunk since, the next run is pinned as this one was.
        let _shrunk = rustix::thread::sched_setaffinity(None, &self.before);
    }
}

/// Nothing is pinned where the system has no call for it.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Pinned;

#[cfg(not(target_os = "linux"))]
impl Pinned {
    pub(crate) fn to_first() -> Option<Self> {
        None
    }

    pub(crate) fn move_to_second(&self) {}
}
