#![expect(
    unsafe_code,
    reason = "getrusage has no safe form in the crates at hand"
)]
//! What one run measures, taken inside the measured process and round the measured part alone.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::Instant;

use crate::kit::proc::memory;

/// CPU time and context switches used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_ns: u64,
    pub(crate) switches: u64,
}

impl Usage {
    /// Of this process, all threads, ended ones included.
    pub(crate) fn of_self() -> Self {
        Self::of(libc::RUSAGE_SELF)
    }

    /// Of the children that have ended and been waited for.
    pub(crate) fn of_children() -> Self {
        Self::of(libc::RUSAGE_CHILDREN)
    }

    fn of(who: libc::c_int) -> Self {
        let mut raw = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `raw` is writable and of the size that the call fills in; `who` is one of the two values it knows.
        let failed = unsafe { libc::getrusage(who, raw.as_mut_ptr()) };
        assert_eq!(failed, 0, "getrusage of a valid target cannot fail");
        // SAFETY: `rusage` is made of integers, for which zeroes are valid, and the call has overwritten them.
        let raw = unsafe { raw.assume_init() };
        let nanos = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1_000;
        Self {
            cpu_ns: nanos(raw.ru_utime) + nanos(raw.ru_stime),
            switches: (raw.ru_nvcsw + raw.ru_nivcsw) as u64,
        }
    }
}

/// Runs from the start of the measured part to its end.
#[derive(Debug)]
pub(crate) struct Meter {
    wall: Instant,
    usage: Usage,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self {
            usage: Usage::of_self(),
            wall: Instant::now(),
        }
    }

    /// Ends the measured part, in which `ops` operations were done.
    pub(crate) fn stop(&self, ops: u64) -> Sample {
        let wall = self.wall.elapsed();
        let usage = Usage::of_self();
        Sample {
            ops,
            wall_ns: wall.as_nanos() as u64,
            cpu_ns: usage.cpu_ns - self.usage.cpu_ns,
            switches: usage.switches - self.usage.switches,
            ..Sample::default()
        }
    }
}

/// Warms up with a tenth of the operations, then measures all of them.
pub(crate) async fn measured<F: Future<Output = ()>>(ops: u64, once: impl Fn(u64) -> F) -> Sample {
    once((ops / 10).max(1)).await;
    let meter = Meter::start();
    once(ops).await;
    meter.stop(ops)
}

/// One run's result; crosses from the child process to its parent as a line of text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) ops: u64,
    pub(crate) wall_ns: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) switches: u64,
    /// The most memory ever resident, in bytes; 0 where the system does not tell.
    pub(crate) peak_rss: u64,
    /// Growth of the resident memory over the measured part, in bytes; for the workloads that ask.
    pub(crate) grown: u64,
    /// Latency or lateness of the operations, in ns; zeroes where the workload takes none.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Sample {
    /// Adds the quantiles of `nanos`.
    pub(crate) fn with_latencies(mut self, mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let at = |q: f64| {
            nanos
                .get(((nanos.len() as f64 * q) as usize).min(nanos.len().saturating_sub(1)))
                .copied()
        };
        self.p50 = at(0.50).unwrap_or(0);
        self.p99 = at(0.99).unwrap_or(0);
        self.max = nanos.last().copied().unwrap_or(0);
        self
    }

    /// Adds the peak of the resident memory so far.
    pub(crate) fn with_peak(mut self) -> Self {
        self.peak_rss = status_bytes("VmHWM:");
        self
    }

    fn fields(&mut self) -> [(&'static str, &mut u64); 9] {
        [
            ("ops", &mut self.ops),
            ("wall_ns", &mut self.wall_ns),
            ("cpu_ns", &mut self.cpu_ns),
            ("switches", &mut self.switches),
            ("peak_rss", &mut self.peak_rss),
            ("grown", &mut self.grown),
            ("p50", &mut self.p50),
            ("p99", &mut self.p99),
            ("max", &mut self.max),
        ]
    }
}

/// What the line of a sample begins with.
const TAG: &str = "sample";

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::from(TAG);
        for (name, value) in self.clone().fields() {
            write!(line, " {name}={value}")?;
        }
        f.write_str(&line)
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let bad = || format!("not a sample: {line:?}");
        let mut sample = Self::default();
        let pairs = line.trim().strip_prefix(TAG).ok_or_else(bad)?;
        for pair in pairs.split_whitespace() {
            let (name, value) = pair.split_once('=').ok_or_else(bad)?;
            let mut fields = sample.fields();
            let (_, field) = fields
                .iter_mut()
                .find(|(field, _)| *field == name)
                .ok_or_else(bad)?;
            **field = value.parse().map_err(|_| bad())?;
        }
        if sample.ops == 0 {
            Err(bad())
        } else {
            Ok(sample)
        }
    }
}

/// The memory resident at this moment, in bytes.
pub(crate) fn resident() -> u64 {
    status_bytes("VmRSS:")
}

fn status_bytes(figure: &str) -> u64 {
    memory("self", figure).unwrap_or(0)
}
