//! Provable deadlocks of a `block_on` (R-DEAD-1).
//!
//! Go knows every way in which a goroutine can be woken; here a waker may be kept
//! by any thread of the process. So only what is certain is reported: a task is
//! stuck if it waits and no waker of it exists, or if its one waker lies in the
//! join slot of a task that is stuck itself and that nobody else can abort. A
//! timer, a descriptor, a channel or a foreign thread holds a waker, and then
//! there is no report. sysmon looks when everything has been quiet for a while.

use std::collections::HashMap;
use std::fmt::Write;

use crate::g::Header;
use crate::g::state::WAITING;
use crate::probe::WaitReason;
use crate::sched::Sched;
use crate::sync::{Ordering, lock};

/// What a proven deadlock leads to: `GMP_DEBUG=deadlock=off|warn|fatal`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum OnDeadlock {
    /// Nothing.
    Off,
    /// An error event of `tracing`.
    #[default]
    Tell,
    /// The text on stderr, too.
    Warn,
    /// The text on stderr, and the end of the process with status 2, as in Go.
    Fatal,
}

impl OnDeadlock {
    pub(crate) fn parse(value: &str) -> Option<OnDeadlock> {
        match value {
            "off" | "0" => Some(OnDeadlock::Off),
            "warn" => Some(OnDeadlock::Warn),
            "fatal" => Some(OnDeadlock::Fatal),
            _ => None,
        }
    }
}

/// What one waiting task depends on.
struct Wait {
    wakers: u32,
    handles: u32,
    /// The task whose end it waits for, as its last leaf of ours told. It may have
    /// dropped that handle and wait for something foreign.
    joins: Option<u64>,
    /// Its address, and that of the task whose waker is in its join slot.
    address: usize,
    joiner: usize,
    root: bool,
}

impl Wait {
    /// None: the task does not wait.
    fn of(header: &Header) -> Option<Wait> {
        if header.state.load().status() != WAITING {
            return None;
        }
        let (wakers, handles) = header.refs.counts();
        let reason = header.park.reason();
        Some(Wait {
            wakers,
            handles,
            joins: (reason == WaitReason::Join).then(|| header.park.target()),
            address: std::ptr::from_ref(header).addr(),
            joiner: header.joiner(),
            root: header.home().is_some() && header.is_system(),
        })
    }

    /// Whether somebody outside holds its waker, whatever else is known.
    fn is_open(&self) -> bool {
        self.wakers > 1 || (self.wakers == 1 && self.joins.is_none())
    }
}

/// Whether a root waits for something that is not plainly open. Most roots wait
/// for a signal, or for a task that waits for a socket: a look at the roots, at most
/// one pass over the tasks that keeps nothing, and no more.
fn is_worth_a_proof(sched: &Sched) -> bool {
    let mut joined = Vec::new();
    let mut closed = false;
    for mp in lock(&sched.allm).iter() {
        for root in &lock(&mp.inbox).roots {
            match Wait::of(root.header()) {
                Some(wait) if !wait.is_open() => match wait.joins {
                    Some(next) if wait.wakers == 1 => joined.push(next),
                    _ => closed = true,
                },
                _ => {}
            }
        }
    }
    if !closed && !joined.is_empty() {
        sched.registry.for_each(|header, _| {
            closed |= joined.contains(&header.goid)
                && Wait::of(header).is_some_and(|wait| !wait.is_open());
        });
    }
    closed
}

/// Looks for a root that can never go on; the report, if there is one.
pub(crate) fn find(sched: &Sched) -> Option<String> {
    if !is_worth_a_proof(sched) {
        return None;
    }
    let mut waits = HashMap::new();
    sched.registry.for_each(|header, _| {
        if let Some(wait) = Wait::of(header) {
            waits.insert(header.goid, wait);
        }
    });
    let stuck: Vec<&u64> = waits
        .keys()
        .filter(|&&id| is_stuck(&waits, id, 0))
        .collect();
    if !stuck.iter().any(|id| waits[id].root) {
        return None;
    }
    let mut texts = Vec::new();
    sched.registry.for_each(|header, _| {
        if stuck.contains(&&header.goid) {
            texts.push((header.goid, text(header)));
        }
    });
    texts.sort();
    let mut report = "fatal error: all goroutines are asleep - deadlock!\n".to_owned();
    for (_, text) in texts {
        let _ = write!(report, "\n{text}");
    }
    Some(report)
}

/// A stuck task as a dump shows it.
fn text(header: &Header) -> String {
    let mut text = format!(
        "goroutine {} [{}]:\n",
        header.goid,
        header.park.reason().as_str()
    );
    if let Some(at) = header.park.location() {
        let _ = writeln!(text, "\t{}:{}", at.file(), at.line());
    }
    let at = header.spawn_loc;
    let _ = writeln!(text, "created at {}:{}", at.file(), at.line());
    text
}

fn is_stuck(waits: &HashMap<u64, Wait>, id: u64, depth: u32) -> bool {
    let Some(wait) = waits.get(&id) else {
        return false;
    };
    // Handles can abort. A root has those of its own block_on alone; a joined
    // task has the one that is awaited.
    if depth > 0 && !wait.root && wait.handles > 1 {
        return false;
    }
    match wait.wakers {
        0 => wait.root || wait.handles <= 1,
        1 => wait.joins.is_some_and(|next| {
            let holds = |next: &Wait| next.joiner == wait.address;
            waits.get(&next).is_some_and(holds) && depth < 1000 && is_stuck(waits, next, depth + 1)
        }),
        _ => false,
    }
}

/// How often sysmon looks: once after something ran, for what nothing has touched
/// does not change; and each look that proves nothing doubles the time to the
/// next one, since it may read every parked task: looks take a thousandth of the
/// time at most.
#[derive(Debug)]
pub(crate) struct Pace {
    next: u64,
    gap: u64,
    /// The polls that had been done at the last look.
    seen: Option<u64>,
}

const FIRST_GAP: u64 = 100_000_000;
const SELDOM: u64 = 30_000_000_000;
/// The rest after a look, as a multiple of what it took.
const SHARE: u64 = 1000;

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace {
            next: 0,
            gap: FIRST_GAP,
            seen: None,
        }
    }

    /// Whether it is time for a look at what `polls` polls have led to.
    fn is_due(&mut self, now: u64, polls: u64) -> bool {
        if now < self.next {
            return false;
        }
        self.seen = Some(polls);
        self.next = now.saturating_add(self.gap);
        self.gap = self.gap.saturating_mul(2);
        true
    }

    /// A look is over.
    fn took(&mut self, since: u64, now: u64) {
        let rest = now.saturating_sub(since).saturating_mul(SHARE);
        self.next = self.next.max(now.saturating_add(rest));
    }

    /// Time until the next look, in nanoseconds.
    pub(crate) fn rest(&self, now: u64) -> u64 {
        self.next.saturating_sub(now)
    }
}

/// sysmon, when nothing has run since its last look. True: it wants to be asked
/// again when the pace says so.
pub(crate) fn check(sched: &Sched, pace: &mut Pace, now: u64, polls: u64) -> bool {
    let told = sched.deadlock_told.load(Ordering::Relaxed); // ord: once is enough
    if sched.config.on_deadlock == OnDeadlock::Off || told || sched.is_closing() {
        return false;
    }
    // A thread of somebody else's may have dropped the last waker meanwhile, so
    // sysmon's longest sleep ends in a look all the same.
    if pace.seen == Some(polls) && now < pace.next.saturating_add(SELDOM) {
        return false;
    }
    let roots_wait = lock(&sched.allm).iter().any(|mp| lock(&mp.inbox).waits());
    if !roots_wait {
        return false;
    }
    if !pace.is_due(now, polls) {
        return true;
    }
    let report = find(sched);
    pace.took(now, sched.real_nanotime());
    let Some(report) = report else {
        return false;
    };
    sched.deadlock_told.store(true, Ordering::Relaxed); // ord: once is enough
    match sched.config.on_deadlock {
        OnDeadlock::Off | OnDeadlock::Tell => {
            tracing::error!(target: "gmp::sched", "{report}");
        }
        OnDeadlock::Warn => eprintln!("{report}"),
        OnDeadlock::Fatal => {
            eprintln!("{report}");
            std::process::exit(2);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{FIRST_GAP, Pace};

    #[test]
    fn looks_grow_rare() {
        let mut pace = Pace::new();
        assert!(pace.is_due(1, 0));
        assert!(!pace.is_due(FIRST_GAP, 1));
        assert!(pace.is_due(FIRST_GAP + 1, 1));
        assert_eq!(pace.rest(FIRST_GAP + 1), 2 * FIRST_GAP);
        pace.took(FIRST_GAP + 1, FIRST_GAP + 1001);
        assert_eq!(pace.rest(FIRST_GAP + 1), 2 * FIRST_GAP, "short");
        pace.took(0, FIRST_GAP);
        assert_eq!(pace.rest(FIRST_GAP), 1000 * FIRST_GAP);
    }
}
