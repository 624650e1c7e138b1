//! What the system tells in `/proc`. Linux alone; elsewhere nothing is told.

use std::fmt::Display;
use std::fs;
use std::time::Duration;

/// A unit of CPU time there, on every architecture that has these runtimes.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// A figure of a process's memory, in bytes: `VmHWM:` is the most ever resident, `VmRSS:` what is at this moment.
pub(crate) fn memory(process: impl Display, figure: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let rest = status.lines().find_map(|line| line.strip_prefix(figure))?;
    let kib: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// CPU time that the whole machine has spent on anything but idling, time stolen by a hypervisor included.
pub(crate) fn machine_busy() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.split_whitespace().skip(1);
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    let busy: u64 = fields
        .take(8)
        .enumerate()
        .filter(|(i, _)| !matches!(i, 3 | 4))
        .map(|(_, n)| n.parse::<u64>().unwrap_or(0))
        .sum();
    Some(Duration::from_millis(busy * TICK.as_millis() as u64))
}
