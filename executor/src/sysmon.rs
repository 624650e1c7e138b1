//! sysmon: the thread without a P that keeps the others honest (R-SYSMON-1…6).
//!
//! It preempts who runs past a slice, takes the P out of polls that block or go
//! on for too long, polls the reactor when nobody else does, and starts an M for
//! work that lies behind a long poll. It never polls a task. While every P is
//! idle it sleeps until one is not.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::Location;
use std::time::Duration;

use crate::clock::nanos;
use crate::m::{MShared, handoff_p, wake_p};
use crate::netpoll::netpoll;
use crate::p::P;
use crate::polltick::Seen;
use crate::sched::{Rules, Sched};
use crate::sync::{Arc, Ordering, lock};
use crate::{aside, deadlock, leaf, preempt, procs, ready, schedtrace, stw};

/// Nobody has polled the reactor for this long: sysmon does (R-SYSMON-5).
const NET_BACKSTOP: u64 = 10_000_000;
/// A poll that does nothing for the queue keeps its P this long (R-SYSMON-4).
const UNWANTED: u64 = 10_000_000;
/// How long after the end of its slice a computing poll may take to answer.
const ANSWER: u64 = 1_000_000;
/// This many polls for each P that go on without one are a flood.
const FLOOD: usize = 16;
/// Between two looks at the limits of the machine.
const LIMITS_EVERY: u64 = 1_000_000_000;
/// A deep sleep shorter than this was a pause of a runtime that is at work.
const PAUSE: u64 = 10_000_000;
/// As many polls as the end of a long silence makes if it is silent again at once.
const FEW: u64 = 4;
/// Go's longest sleep.
const DEEP: Duration = Duration::from_secs(60);

/// The sleep before each look (R-SYSMON-1).
#[derive(Debug)]
pub(crate) struct Delay {
    rules: Rules,
    idle: u32,
    delay: Duration,
}

impl Delay {
    pub(crate) fn new(rules: Rules) -> Delay {
        Delay {
            rules,
            idle: 0,
            delay: Duration::ZERO,
        }
    }

    /// The next sleep. Go: 20 µs, after 50 fruitless looks twice as long each
    /// time, up to 10 ms. The default rules look less often at first, since a
    /// look costs a wake-up of the thread, and never less often than every
    /// millisecond while a P runs: that bounds what waits behind a long poll.
    pub(crate) fn next(&mut self) -> Duration {
        let (first, patience, cap) = match self.rules {
            Rules::Go117 => (Duration::from_micros(20), 50, Duration::from_millis(10)),
            Rules::Default => (Duration::from_micros(250), 4, Duration::from_millis(1)),
        };
        if self.idle == 0 {
            self.delay = first;
        } else if self.idle > patience {
            self.delay *= 2;
        }
        self.delay = self.delay.min(cap);
        self.delay
    }

    /// A look is over; `retook`: it took a P.
    pub(crate) fn looked(&mut self, retook: bool) {
        self.idle = if retook {
            0
        } else {
            self.idle.saturating_add(1)
        };
    }

    /// Somebody woke sysmon from a deep sleep of that many nanoseconds. Go looks
    /// often again after each; the default rules keep the pace over a pause, or
    /// timers that come every millisecond would be looked at twice as often. True: it
    /// was no pause.
    pub(crate) fn woken(&mut self, slept: u64) -> bool {
        let long = slept >= PAUSE;
        if long || self.rules == Rules::Go117 {
            self.idle = 0;
        }
        long
    }
}

/// What sysmon remembers of a P.
#[derive(Default)]
struct Watch {
    schedtick: u32,
    slice_since: u64,
    /// The M, and what it had begun.
    poll: (u32, Seen),
    poll_since: u64,
    stat: Option<(i32, File)>,
}

/// A poll that was there at the last look too.
#[derive(Clone, Copy)]
struct Poll {
    age: u64,
    /// It has begun or ended no section since.
    stays: bool,
    in_syscall: bool,
}

impl Watch {
    fn new(now: u64) -> Watch {
        Watch {
            slice_since: now,
            ..Watch::default()
        }
    }
}

/// The thread's memory between its looks.
pub(crate) struct Sysmon {
    sched: Arc<Sched>,
    watch: Vec<Watch>,
    /// Sum of all ticks at the last look: a change means that tasks ran.
    activity: u64,
    /// The last look met a poll that was there at the look before.
    polls_long: bool,
    reported: HashSet<(&'static str, u32, u32)>,
    last_trace: u64,
    last_limits: u64,
    deadlock: deadlock::Pace,
}

/// The thread's life: until the runtime ends.
pub(crate) fn run(sched: Arc<Sched>) {
    let mut delay = Delay::new(sched.config.rules);
    let mut sysmon = Sysmon::new(sched);
    let mut from_deep = false;
    loop {
        sysmon.sched.sysmon_note.sleep_for(Some(delay.next()));
        if sysmon.sched.is_exiting() {
            return;
        }
        let now = sysmon.sched.real_nanotime();
        sysmon.sched.set_coarse(now);
        sysmon.trace(now);
        sysmon.follow_limits(now);
        let quiet = sysmon.is_quiet(std::mem::take(&mut from_deep));
        if quiet && sysmon.deep_sleep() {
            from_deep = delay.woken(sysmon.sched.real_nanotime() - now);
            continue;
        }
        sysmon.net_backstop(now);
        let retook = sysmon.retake(now);
        sysmon.rescue();
        aside::hurry(&sysmon.sched, now);
        delay.looked(retook);
    }
}

impl Sysmon {
    pub(crate) fn new(sched: Arc<Sched>) -> Sysmon {
        Sysmon {
            last_trace: sched.real_nanotime(),
            deadlock: deadlock::Pace::new(),
            last_limits: sched.real_nanotime(),
            sched,
            watch: Vec::new(),
            activity: 0,
            polls_long: false,
            reported: HashSet::new(),
        }
    }

    /// Whether nothing ran since the last look. Go goes by the idle Ps alone;
    /// but then a service with little to do would wake sysmon for each request.
    /// After a long sleep a few polls are nothing: a lone timer, one request.
    fn is_quiet(&mut self, from_deep: bool) -> bool {
        let activity: u64 = self.sched.all_ps().map(|pp| pp.stats.polls.get()).sum();
        let before = std::mem::replace(&mut self.activity, activity);
        let ran = activity.wrapping_sub(before);
        ran == 0 || (from_deep && ran <= FEW) || self.sched.go117()
    }

    /// Sleeps while every P is idle (R-SYSMON-2). True: it slept, and was woken.
    fn deep_sleep(&mut self) -> bool {
        let sched = &self.sched.clone();
        if self.sched.config.schedtrace.is_some() {
            return false;
        }
        {
            let guard = sched.lock();
            let all_idle = guard.idle_ps() == sched.procs() as usize;
            if !(all_idle || sched.stop_is_wanted())
                || sched.is_exiting()
                || sched.turns.are_wanted()
            {
                return false;
            }
            // Under the lock: whoever takes a P from now on sees it.
            sched.sysmon_waits.store(true, Ordering::SeqCst); // ord: the lock orders it
        }
        let mut sleep = DEEP;
        let now = sched.real_nanotime();
        if deadlock::check(sched, &mut self.deadlock, now, self.activity) {
            sleep = sleep.min(Duration::from_nanos(self.deadlock.rest(now)));
        }
        if sched.go117() {
            let when = sched.earliest_timer();
            if when != 0 {
                sleep = sleep.min(Duration::from_nanos(when.saturating_sub(sched.nanotime())));
            }
        }
        let woken = sched.sysmon_note.sleep_for(Some(sleep));
        sched.sysmon_waits.store(false, Ordering::SeqCst); // ord: a wake in between only costs a look
        woken
    }

    fn net_backstop(&self, now: u64) {
        let sched = &self.sched;
        let last = sched.lastpoll.load(Ordering::SeqCst); // ord: the exchange decides
        if sched.reactor.sources() == 0 || last == 0 || last + NET_BACKSTOP > now {
            return;
        }
        // ord: one poller for this round
        if sched
            .lastpoll
            .compare_exchange(last, now, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
        {
            let mut wakers = Vec::new();
            let list = netpoll(sched, &mut wakers, Some(Duration::ZERO));
            ready::inject_glist(sched, None, list.into_iter());
        }
    }

    /// R-SYSMON-3 and 4 for every P. True: at least one P was taken.
    pub(crate) fn retake(&mut self, now: u64) -> bool {
        let sched = self.sched.clone();
        let mut retook = false;
        self.polls_long = false;
        // A P that is new to us begins a slice: else one whose tick is still 0
        // would have had its slice since the clock's start.
        self.watch
            .resize_with(sched.procs() as usize, || Watch::new(now));
        // There may be more of them by now.
        for pp in sched.all_ps().take(self.watch.len()) {
            let Some(mp) = stw::owner(&sched, pp) else {
                continue;
            };
            let in_syscall = mp.syscalls.load(Ordering::Relaxed) > 0; // ord: hint
            let watch = &mut self.watch[pp.id as usize];
            let tick = pp.tick_now();
            if watch.schedtick != tick {
                watch.schedtick = tick;
                watch.slice_since = now;
            } else if now - watch.slice_since >= sched.config.time_slice && !in_syscall {
                preempt::preempt_one(pp, &mp);
            }
            let seen = mp.polltick.look();
            let (before_m, before) = std::mem::replace(&mut watch.poll, (mp.id, seen));
            if before_m != mp.id || !before.is_poll_of(seen) {
                watch.poll_since = now;
                mp.polltick.note(seen, now);
                continue; // it has to span one whole tick of ours
            }
            self.polls_long = true;
            let poll = Poll {
                age: now - watch.poll_since,
                stays: before == seen,
                in_syscall,
            };
            if !sched.config.handoff && !in_syscall {
                continue;
            }
            if self.gives_cause(pp, &mp, poll, now) && self.take(pp, &mp, poll.age) {
                retook = true;
            }
        }
        retook
    }

    /// Whether the P should go on without the poll.
    fn gives_cause(&mut self, pp: &P, mp: &MShared, poll: Poll, now: u64) -> bool {
        let sched = &self.sched;
        let due = pp.timers.next();
        let waiting = pp.has_work() || !sched.injector.is_empty() || (due != 0 && due <= now);
        let counts = sched.idle.counts();
        if !waiting && counts.idle + counts.spinning > 0 && poll.age < UNWANTED {
            return false;
        }
        (waiting && poll.age >= self.patience(mp))
            || (poll.stays && (poll.in_syscall || self.is_blocked(pp, mp)))
    }

    /// How long a computing poll may keep its P from others. Go's slice and the
    /// time to answer; but a place of spawn whose tasks were reported before has
    /// used up its credit. A flood of such tasks gets it back, or each would soon
    /// have a thread of its own.
    fn patience(&self, mp: &MShared) -> u64 {
        let sched = &self.sched;
        let site = leaf::location_of(mp.spawn_loc.load(Ordering::Relaxed)); // ord: hint
        let known = !sched.go117() && site.is_some_and(|site| self.reported.contains(&key(site)));
        let alone = |m: &&Arc<MShared>| {
            m.goid.load(Ordering::Relaxed) != 0 && m.p.load(Ordering::Relaxed) == 0 // ord: hints
        };
        if known && lock(&sched.allm).iter().filter(alone).count() < FLOOD * sched.procs() as usize
        {
            return ANSWER;
        }
        sched.config.time_slice + ANSWER
    }

    /// Whether the thread sleeps in the kernel, by its state there.
    fn is_blocked(&mut self, pp: &P, mp: &MShared) -> bool {
        let tid = mp.tid.load(Ordering::Relaxed); // ord: fixed for the thread's life
        let watch = &mut self.watch[pp.id as usize];
        if watch.stat.as_ref().is_none_or(|(of, _)| *of != tid) {
            let file = File::open(format!("/proc/self/task/{tid}/stat"));
            watch.stat = file.ok().map(|file| (tid, file));
        }
        let Some((_, file)) = &watch.stat else {
            return false;
        };
        let mut text = [0; 256];
        let Ok(n) = file.read_at(&mut text, 0) else {
            watch.stat = None;
            return false;
        };
        sleeps(&text[..n])
    }

    fn take(&mut self, pp: &P, mp: &MShared, age: u64) -> bool {
        let sched = self.sched.clone();
        let computes = !self.is_blocked(pp, mp);
        // Whoever stops the world takes what Ps it needs.
        let Ok(world) = sched.world.try_lock() else {
            return false;
        };
        let since = if sched.go117() {
            0
        } else {
            sched.real_nanotime() - age
        };
        mp.held_up.store(since, Ordering::Relaxed); // ord: the fence's words order it
        let Some(pp) = stw::take_p(&sched, mp) else {
            mp.held_up.store(0, Ordering::Relaxed); // ord: a hint
            return false;
        };
        drop(world);
        // Should it be near a check after all, it need not go on for long.
        preempt::poison(mp);
        sched.handoffs.add_shared(1);
        self.report(mp, age, computes);
        handoff_p(&sched, pp);
        true
    }

    /// Remembers the place of spawn, and tells once that its task holds up a thread.
    fn report(&mut self, mp: &MShared, age: u64, computes: bool) {
        if mp.syscalls.load(Ordering::Relaxed) > 0 {
            return; // ord: hint; it said so itself
        }
        let Some(site) = leaf::location_of(mp.spawn_loc.load(Ordering::Relaxed)) else {
            return;
        };
        if !self.sched.go117() {
            self.sched.suspects.accuse(site, computes);
        }
        if self.reported.len() < 1000 && self.reported.insert(key(site)) {
            tracing::warn!(
                target: "gmp::sysmon",
                spawned_at = %site,
                task_id = mp.goid.load(Ordering::Relaxed),
                poll_ms = age / 1_000_000,
                "a poll blocks or computes for long: its P went on without it. \
                 Use gmp::task::block_in_place, spawn_blocking or safepoint",
            );
        }
    }

    /// Work that was not announced because its P was expected to come to it
    /// soon, while another P is idle: start an M for it. It also becomes the poller,
    /// if that is the M which polls for long.
    pub(crate) fn rescue(&self) {
        let sched = &self.sched;
        let counts = sched.idle.counts();
        if counts.idle == 0 || counts.spinning > 0 {
            return;
        }
        let waits = !sched.injector.is_empty()
            || sched.all_ps().any(P::has_work)
            || self.timer_is_forgotten()
            || (self.polls_long && self.reactor_is_forgotten());
        if waits {
            wake_p(sched);
        }
    }

    /// Whether a timer is due that nobody comes to. A poller that sleeps for it, or
    /// for one before it, comes by itself: if it is late, it lets more of them gather.
    fn timer_is_forgotten(&self) -> bool {
        let sched = &self.sched;
        let due = sched.earliest_timer();
        if due == 0 || due > sched.nanotime() {
            return false;
        }
        // ord: hints; the next look sees what this one missed
        let until = sched.poll_until.load(Ordering::Relaxed);
        let polled = sched.lastpoll.load(Ordering::Relaxed) == 0;
        !(polled && until != 0 && until <= due) || sched.go117()
    }

    /// Whether nobody waits for events that may come.
    fn reactor_is_forgotten(&self) -> bool {
        let sched = &self.sched;
        let polled = sched.lastpoll.load(Ordering::Relaxed) == 0; // ord: a hint
        !polled && sched.reactor.sources() > 0 && !sched.go117()
    }

    /// Re-reads affinity and quota at most once a second (L-22). A thread of its
    /// own changes the number of Ps: a stop must not keep sysmon from its work.
    fn follow_limits(&mut self, now: u64) {
        let sched = &self.sched;
        // ord: a hint; a late change of mind costs one re-read
        if sched.procs_fixed.load(Ordering::Relaxed) || now - self.last_limits < LIMITS_EVERY {
            return;
        }
        self.last_limits = now;
        let allowed = procs::allowed();
        if allowed != sched.procs() {
            let sched = sched.clone();
            let resize = move || {
                stw::set_procs(&sched, allowed);
            };
            let thread = std::thread::Builder::new()
                .name("gmp-procs".to_owned())
                .spawn(gmp_reactor::starting(resize));
            if let Err(error) = thread {
                tracing::warn!(target: "gmp::sysmon", %error, "the number of Ps stays as it is");
            }
        }
    }

    fn trace(&mut self, now: u64) {
        let Some(every) = self.sched.config.schedtrace else {
            return;
        };
        if now - self.last_trace < nanos(every) {
            return;
        }
        self.last_trace = now;
        eprintln!("{}", schedtrace::line(&self.sched));
        if self.sched.config.scheddetail {
            eprint!("{}", schedtrace::detail(&self.sched));
        }
    }
}

fn key(site: &'static Location<'static>) -> (&'static str, u32, u32) {
    (site.file(), site.line(), site.column())
}

/// Reads the state letter of a `/proc/…/stat` line: it follows the command in
/// parentheses, which may itself contain any character.
pub(crate) fn sleeps(stat: &[u8]) -> bool {
    let after = stat
        .iter()
        .rposition(|&b| b == b')')
        .map(|at| &stat[at + 1..]);
    let state = after.and_then(|rest| rest.iter().find(|b| !b.is_ascii_whitespace()));
    matches!(state, Some(b'S' | b'D'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Delay, PAUSE, sleeps};
    use crate::sched::Rules;

    /// Rule R-SYSMON-1, T-50.
    #[test]
    fn t50_sleeps_of_sysmon() {
        let mut delay = Delay::new(Rules::Go117);
        let mut micros = || {
            let next = delay.next().as_micros();
            delay.looked(false);
            next
        };
        for _ in 0..51 {
            assert_eq!(micros(), 20);
        }
        for expected in [40, 80, 160, 320, 640, 1280, 2560, 5120, 10_000, 10_000] {
            assert_eq!(micros(), expected);
        }
        delay.looked(true);
        assert_eq!(delay.next(), Duration::from_micros(20));
    }

    #[test]
    fn the_default_rules_look_at_least_every_millisecond() {
        let mut delay = Delay::new(Rules::Default);
        for _ in 0..100 {
            assert!(delay.next() <= Duration::from_millis(1));
            delay.looked(false);
        }
    }

    #[test]
    fn a_pause_does_not_hurry_sysmon() {
        for (rules, after_a_pause) in [(Rules::Go117, 20), (Rules::Default, 1000)] {
            let mut delay = Delay::new(rules);
            let looks = |delay: &mut Delay| {
                for _ in 0..70 {
                    delay.next();
                    delay.looked(false);
                }
            };
            looks(&mut delay);
            delay.woken(PAUSE - 1);
            assert_eq!(delay.next().as_micros(), after_a_pause);
            looks(&mut delay);
            delay.woken(PAUSE);
            assert!(delay.next().as_micros() <= 250);
        }
    }

    #[test]
    fn the_state_follows_the_command() {
        assert!(sleeps(b"12 (gmp-1) S 1 1"));
        assert!(sleeps(b"12 (a) R (b)) D 1 1"));
        assert!(!sleeps(b"12 (gmp-1) R 1 1"));
        assert!(!sleeps(b""));
    }
}
