//! What the system tells of a process from outside. Linux alone; elsewhere nothing is told.

use std::fs;
use std::process;
use std::time::Duration;

use crate::kit::proc::{TICK, memory};

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
    memory(pid, "VmHWM:")
}
