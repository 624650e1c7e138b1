//! Counting a server's system calls: it is started under a tool that counts, twice, and the difference between many
//! requests and few is what requests cost.
//!
//! `perf stat` counts in the kernel and hardly slows the server; it needs a kernel that lets us see tracepoints.
//! `strace` stops the server at each call. The server falls behind then and finds more connections ready each time it
//! waits, so its counts are somewhat lower than those of a free run; they compare with each other, not with perf's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Perf,
    Strace,
}

/// What the calls are for, by the names that these runtimes use on any architecture; the others are `other`. Few, for
/// perf takes its time to look up each.
pub(crate) const KINDS: [(&str, &[&str]); 5] = [
    ("wait", &["epoll_wait", "epoll_pwait", "epoll_pwait2"]),
    ("arm", &["epoll_ctl", "timerfd_settime"]),
    ("read", &["read", "recvfrom"]),
    ("write", &["write", "writev", "sendto", "sendmsg"]),
    ("futex", &["futex"]),
];

/// All system calls together, in perf's words.
const ALL: &str = "raw_syscalls:sys_enter";

const EACH: &str = "syscalls:sys_enter_";

const TRACING: &str = "/sys/kernel/tracing/events/syscalls";

/// Calls of one process, or per request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) total: f64,
    by_name: BTreeMap<String, f64>,
}

impl Calls {
    /// What `requests` more requests have cost each.
    pub(crate) fn per_request(few: &Self, many: &Self, requests: u64) -> Self {
        let each = |many: f64, few: f64| (many - few) / requests as f64;
        let before = |name| few.by_name.get(name).copied().unwrap_or(0.0);
        Self {
            total: each(many.total, few.total),
            by_name: many
                .by_name
                .iter()
                .map(|(name, &calls)| (name.clone(), each(calls, before(name))))
                .collect(),
        }
    }

    /// The one with the median total.
    pub(crate) fn middle(mut all: Vec<Self>) -> Option<Self> {
        all.sort_unstable_by(|a, b| a.total.total_cmp(&b.total));
        let middle = all.len() / 2;
        all.into_iter().nth(middle)
    }

    pub(crate) fn of_kind(&self, names: &[&str]) -> f64 {
        names
            .iter()
            .filter_map(|&name| self.by_name.get(name))
            .sum()
    }

    pub(crate) fn other(&self) -> f64 {
        let known: f64 = KINDS.iter().map(|(_, names)| self.of_kind(names)).sum();
        self.total - known
    }
}

impl Counter {
    /// The best that works here.
    pub(crate) fn find() -> Option<Self> {
        [Self::Perf, Self::Strace].into_iter().find(|counter| {
            let mut words = counter.under(Path::new("/dev/null")).into_iter();
            words.next().is_some_and(|tool| {
                Command::new(tool)
                    .args(words)
                    .arg("true")
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success())
            })
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Strace => "strace",
        }
    }

    /// The words before a command whose calls are to be counted into `file`.
    pub(crate) fn under(self, file: &Path) -> Vec<String> {
        let file = file.to_string_lossy().into_owned();
        match self {
            Self::Perf => {
                let mut events = vec![ALL.to_owned()];
                let names = KINDS.iter().flat_map(|(_, names)| *names);
                events.extend(
                    names
                        .filter(|name| {
                            Path::new(TRACING)
                                .join(format!("sys_enter_{name}"))
                                .exists()
                        })
                        .map(|name| format!("{EACH}{name}")),
                );
                let events = events.join(",");
                ["perf", "stat", "-x", ",", "-e", &events, "-o", &file, "--"]
                    .map(str::to_owned)
                    .into()
            }
            Self::Strace => ["strace", "-f", "-c", "-o", &file, "--"]
                .map(str::to_owned)
                .into(),
        }
    }

    /// Reads what the tool has written at the end of the process.
    pub(crate) fn read(self, file: &Path) -> Result<Calls, String> {
        let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
        let calls = match self {
            Self::Perf => read_perf(&text),
            Self::Strace => read_strace(&text),
        };
        if calls.total > 0.0 {
            Ok(calls)
        } else {
            Err(format!("{} says:\n{text}", self.name()))
        }
    }
}

/// Lines of `COUNT,UNIT,EVENT,…`.
fn read_perf(text: &str) -> Calls {
    let mut calls = Calls::default();
    for line in text.lines() {
        let mut fields = line.split(',');
        let Some(count) = fields.next().and_then(|n| n.parse().ok()) else {
            continue;
        };
        match fields.nth(1) {
            Some(ALL) => calls.total = count,
            Some(event) => {
                let name = event.strip_prefix(EACH).unwrap_or(event);
                calls.by_name.insert(name.to_owned(), count);
            }
            None => {}
        }
    }
    calls
}

/// Lines of `PERCENT SECONDS USECS CALLS [ERRORS] NAME`, the last of them a sum.
fn read_strace(text: &str) -> Calls {
    let mut calls = Calls::default();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let &[_, _, _, count, .., name] = words.as_slice() else {
            continue;
        };
        let Ok(count) = count.parse() else { continue };
        if name == "total" {
            calls.total = count;
        } else {
            calls.by_name.insert(name.to_owned(), count);
        }
    }
    calls
}
