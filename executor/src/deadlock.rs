//! Provable deadlocks of a `block_on` (R-DEAD-1).
//!
//! Go knows every way in which a goroutine can be woken; here a waker may be kept
//! by any thread of the process. So only what is certain is reported, and there are
//! two ways to be certain. Either the root waits for a chain of tasks that nobody
//! else can wake or abort (`chain.rs`), whatever the rest of the process does. Or
//! nothing in the process is left that could do anything (`silence.rs`): then all
//! goroutines are asleep in Go's own sense, whatever they wait for. sysmon looks
//! when everything has been quiet for a while.

mod chain;
mod silence;

use std::fmt::Write;

use crate::cycle;
use crate::g::Header;
use crate::sched::Sched;
use crate::sync::{Ordering, lock};
use crate::waits::{Wanted, edges};

use self::silence::Silence;

pub use self::silence::bystander;

/// What a proven deadlock leads to: `GMP_DEBUG=deadlock=off|warn|fatal`, or
/// `GMP_DEADLOCK=off|warn|fatal`, which goes before it.
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

/// What a look has found.
pub(crate) enum Found {
    /// The report of a deadlock.
    Deadlock(String),
    /// Nothing.
    Nothing,
    /// Nothing yet: some thread is on its way to sleep or to its end.
    Unsettled,
    /// Only somebody outside of the runtime can wake it; polls so far.
    Outside(u64),
}

/// Looks for a root that can never go on.
pub(crate) fn find(sched: &Sched) -> Found {
    let stuck = chain::find(sched);
    if !stuck.is_empty() {
        return Found::Deadlock(report(sched, |id| stuck.contains(&id)));
    }
    match silence::listen(sched) {
        Silence::Final => Found::Deadlock(report(sched, |_| true)),
        Silence::Outside(polls) => Found::Outside(polls),
        Silence::Broken => Found::Nothing,
        Silence::Unsettled => Found::Unsettled,
    }
}

/// Go's words, the tasks, and the circles that some of them wait in.
fn report(sched: &Sched, wanted: impl Fn(u64) -> bool) -> String {
    let mut texts = Vec::new();
    sched.registry.for_each(|header, _| {
        if wanted(header.goid) {
            texts.push((header.goid, text(header)));
        }
    });
    texts.sort();
    let mut report = "fatal error: all goroutines are asleep - deadlock!\n".to_owned();
    for (_, text) in texts {
        let _ = write!(report, "\n{text}");
    }
    for cycle in cycle::find_in(sched) {
        if cycle.links().iter().any(|link| wanted(link.id)) {
            let _ = write!(report, "\n{cycle}");
        }
    }
    report
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

/// Wakers of waiting tasks, without those that lie where only a task finds them: in the
/// slot of a task that is joined, or with a lock that a task holds.
fn wakers_outside(sched: &Sched) -> u64 {
    let mut wakers = 0;
    sched.registry.for_each(|header, _| {
        wakers += u64::from(header.counts().0);
    });
    let inside = edges(sched, Wanted::Sure, |_| true);
    let inside = inside.values().filter(|edge| edge.next.is_some()).count();
    wakers.saturating_sub(inside as u64)
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
    /// No look before this moment.
    rested: u64,
    /// Since when nothing but the outside can end the silence, and the polls before it.
    outside: Option<(u64, u64)>,
    told_outside: bool,
}

const FIRST_GAP: u64 = 100_000_000;
const SELDOM: u64 = 30_000_000_000;
/// The rest after a look, as a multiple of what it took.
const SHARE: u64 = 1000;
/// So long a silence that only the outside can end is not told.
const QUIESCENT: u64 = 5_000_000_000;

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace {
            next: 0,
            gap: FIRST_GAP,
            seen: None,
            rested: 0,
            outside: None,
            told_outside: false,
        }
    }

    /// Whether it is time for a look at what `polls` polls have led to.
    fn is_due(&mut self, now: u64, polls: u64) -> bool {
        if now < self.next {
            return false;
        }
        self.seen = Some(polls);
        self.next = now.saturating_add(self.gap);
        self.gap = (self.gap * 2).min(SELDOM);
        true
    }

    /// A look is over.
    fn took(&mut self, since: u64, now: u64) {
        let rest = now.saturating_sub(since).saturating_mul(SHARE);
        self.rested = now.saturating_add(rest);
        self.next = self.next.max(self.rested);
    }

    /// Only the outside can end the silence that `polls` polls have led to. True, once:
    /// it has lasted for so long that it is told. Else the next look comes when it has.
    fn is_quiescent(&mut self, now: u64, polls: u64) -> bool {
        let same = self.outside.filter(|&(_, before)| before == polls);
        let (since, _) = *self.outside.insert(same.unwrap_or((now, polls)));
        self.told_outside &= same.is_some();
        if self.told_outside {
            return false;
        }
        self.told_outside = now - since >= QUIESCENT;
        if !self.told_outside {
            self.next = self.next.min((since + QUIESCENT).max(self.rested));
        }
        self.told_outside
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
    let (waits, serves) = lock(&sched.allm).iter().fold((false, false), |seen, mp| {
        let inbox = lock(&mp.inbox);
        (seen.0 | inbox.waits(), seen.1 | inbox.serving)
    });
    if !serves {
        return false;
    }
    if !pace.is_due(now, polls) {
        return true;
    }
    if !waits {
        pace.seen = None; // a root is on its way
        return true;
    }
    let found = find(sched);
    pace.took(now, sched.real_nanotime());
    let report = match found {
        Found::Deadlock(report) => report,
        Found::Nothing => return false,
        Found::Unsettled => {
            pace.seen = None;
            return true;
        }
        Found::Outside(polls) => {
            let tells = matches!(
                sched.config.on_deadlock,
                OnDeadlock::Warn | OnDeadlock::Fatal
            );
            if tells && pace.is_quiescent(now, polls) {
                eprintln!("quiescent: {} wakers held outside", wakers_outside(sched));
            }
            pace.seen = None;
            return true;
        }
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
    use super::{FIRST_GAP, Pace, QUIESCENT};

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

    #[test]
    fn a_silence_is_told_once_after_five_seconds() {
        let mut pace = Pace::new();
        pace.gap = 2 * QUIESCENT;
        assert!(pace.is_due(1, 7));
        assert!(!pace.is_quiescent(1, 7));
        assert_eq!(pace.rest(1), QUIESCENT, "looked at again just then");
        assert!(!pace.is_quiescent(QUIESCENT, 7));
        assert!(pace.is_quiescent(QUIESCENT + 1, 7));
        assert!(!pace.is_quiescent(3 * QUIESCENT, 7), "told");
        assert!(!pace.is_quiescent(3 * QUIESCENT, 8), "another one");
        assert!(pace.is_quiescent(4 * QUIESCENT, 8));
        pace.took(0, QUIESCENT);
        assert!(!pace.is_quiescent(4 * QUIESCENT, 9));
        assert_eq!(
            pace.rest(QUIESCENT),
            1000 * QUIESCENT,
            "looks are not cheap"
        );
    }
}
