//! Sched: what the Ms of one runtime share.
//!
//! Lock order, outermost first: `sched.lock`, the turns to compute, a heap's lock, a
//! shard of the registry. Under any of them runs no waker, no drop of a user's value and no
//! other code of the user. The free atomics are listed with the protocol that
//! owns them.

use std::time::Duration;

use gmp_reactor::{Origin, Reactor};

use crate::aside::Turns;
use crate::clock;
use crate::deadlock::OnDeadlock;
use crate::fork;
use crate::gfree::Shelf;
use crate::idle::Idle;
use crate::injector::Injector;
use crate::jitter;
use crate::latency::Sampler;
use crate::m::MShared;
use crate::mask::PMask;
use crate::netpoll::Grain;
use crate::orphan;
use crate::p::{Counter, P, PIDLE, PRUNNING};
use crate::panics::PanicPolicy;
use crate::park::Note;
use crate::probe::TaskPanic;
use crate::registry::Registry;
use crate::suspects::Suspects;
use crate::suspend;
use crate::sync::{
    Arc, AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, OnceLock, Ordering, lock,
};

/// Most Ps that a runtime can have.
pub(crate) const MAX_PROCS: usize = 1024;

/// Which rules the scheduler follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rules {
    /// Go 1.17's rules with the later improvements of Go and of gmp.
    #[default]
    Default,
    /// Go 1.17's rules to the letter, but for two faults of it that are mended.
    Go117,
}

/// The knobs, checked by the builder.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) rules: Rules,
    pub(crate) procs: u32,
    pub(crate) max_threads: u32,
    pub(crate) thread_name: String,
    pub(crate) stack_size: Option<usize>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) time_slice: u64,
    pub(crate) handoff: bool,
    pub(crate) seed: u64,
    pub(crate) schedtrace: Option<Duration>,
    pub(crate) scheddetail: bool,
    pub(crate) on_deadlock: OnDeadlock,
    pub(crate) panic_policy: PanicPolicy,
    /// Whether the number of Ps follows the machine's limits.
    pub(crate) auto_procs: bool,
}

type PanicHandler = Box<dyn Fn(&TaskPanic<'_>) + Send + Sync>;
type SafePoint = Arc<dyn Fn(u32) + Send + Sync>;
type Callback<A> = Option<Box<dyn Fn(A) + Send + Sync>>;

/// The user's callbacks.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) thread_start: Option<Box<dyn Fn() + Send + Sync>>,
    pub(crate) thread_stop: Option<Box<dyn Fn() + Send + Sync>>,
    pub(crate) task_spawn: Callback<u64>,
    pub(crate) task_terminate: Callback<u64>,
    pub(crate) poll_start: Callback<u64>,
    pub(crate) poll_stop: Callback<u64>,
    pub(crate) panic_handler: Option<PanicHandler>,
}

/// How far the runtime is from its end.
pub(crate) const OPEN: u32 = 0;
/// No more spawns; every task is dropped instead of polled.
pub(crate) const CLOSING: u32 = 1;
/// Every task is gone; Ms and sysmon end.
pub(crate) const EXITING: u32 = 3;
const PHASE: u32 = 3;
/// Beside the phase: a snapshot of the runtime is open.
pub(crate) const SNAPSHOT: u32 = 4;
/// Beside it as well: leaves note their stacks.
pub(crate) const STACKS: u32 = 8;

/// The phase, and whether diagnostics look: one word, so that a poll or a spawn has one
/// thing to ask.
#[derive(Clone, Copy)]
pub(crate) struct Word(u32);

impl Word {
    /// The runtime is open, and nobody looks.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) fn is_closing(self) -> bool {
        self.0 & PHASE != OPEN
    }
}

pub(crate) struct Sched {
    /// The process that has its threads (fork.rs).
    origin: Origin,
    pub(crate) config: Config,
    pub(crate) hooks: Hooks,
    allp: Box<[OnceLock<Box<P>>]>,
    gomaxprocs: AtomicU32,
    pub(crate) idle: Idle,
    pub(crate) idlep_mask: PMask,
    pub(crate) timerp_mask: PMask,
    inner: Mutex<Inner>,
    pub(crate) injector: Injector,
    pub(crate) registry: Registry,
    pub(crate) goids: AtomicU64,
    /// Who is counted where no P is at hand.
    pub(crate) foreign_spawned: Counter,
    pub(crate) foreign_finished: Counter,
    pub(crate) gfree: Shelf,
    /// Tasks that were dropped before their end.
    pub(crate) cancelled: Counter,
    /// Tasks that a panic ended.
    pub(crate) panicked: Counter,
    /// See [`Word`].
    word: AtomicU32,
    /// The panic that shut the runtime down by its policy: what every `block_on`
    /// panics with.
    pub(crate) fatal: OnceLock<String>,
    // The netpoller (netpoll.rs).
    pub(crate) reactor: Arc<Reactor>,
    /// 0: an M is blocked in the netpoller; else when it was last polled.
    pub(crate) lastpoll: AtomicU64,
    /// Until when the blocked poller sleeps; 0: for ever.
    pub(crate) poll_until: AtomicU64,
    pub(crate) grain: Grain,
    pub(crate) turns: Turns,
    pub(crate) suspects: Suspects,
    pub(crate) suspended: suspend::List,
    // sysmon (sysmon.rs).
    pub(crate) sysmon_waits: AtomicBool,
    pub(crate) sysmon_note: Note,
    /// Which wakes from outside are timed.
    pub(crate) outside: Sampler,
    pub(crate) handoffs: Counter,
    pub(crate) preemptions: Counter,
    pub(crate) thread_failures: Counter,
    // Stopping the world (stw.rs).
    /// Held by whoever stops the world or takes a P out of a poll.
    pub(crate) world: Mutex<()>,
    pub(crate) stop_wanted: AtomicBool,
    pub(crate) stop_note: Note,
    /// What `for_each_p` runs.
    pub(crate) safe_point: Mutex<Option<SafePoint>>,
    /// Every M that lives, for sysmon and dumps.
    pub(crate) allm: Mutex<Vec<Arc<MShared>>>,
    pub(crate) started: u64,
    coarse: AtomicU32,
    pub(crate) deadlock_told: AtomicBool,
    /// Whether the user has chosen the number of Ps.
    pub(crate) procs_fixed: AtomicBool,
    // Virtual time (virtual_time.rs).
    /// The stopped clock's reading; 0: the clock runs.
    pub(crate) virtual_now: AtomicU64,
    /// What a clock that runs again is ahead of the real one.
    pub(crate) clock_ahead: AtomicU64,
}

/// What the scheduler lock protects.
pub(crate) struct Inner {
    pidle: Vec<u32>,
    pub(crate) midle: Vec<Arc<MShared>>,
    /// Ms that live, and those that are about to be created.
    pub(crate) mcount: u32,
    /// Those of them that belong to callers of `block_on`: the limit of threads
    /// is not about them.
    pub(crate) guests: u32,
    pub(crate) next_mid: u32,
    pub(crate) threads: Vec<std::thread::JoinHandle<()>>,
    pub(crate) warned_exhausted: bool,
    /// Ps that a stopper still waits for.
    pub(crate) stopwait: u32,
}

impl Sched {
    pub(crate) fn new(config: Config, hooks: Hooks, reactor: Arc<Reactor>) -> Sched {
        let now = clock::nanotime();
        let (procs, procs_fixed) = (config.procs, !config.auto_procs);
        let sched = Sched {
            origin: Origin::here(),
            hooks,
            allp: (0..MAX_PROCS).map(|_| OnceLock::new()).collect(),
            gomaxprocs: AtomicU32::new(procs),
            idle: Idle::new(),
            idlep_mask: PMask::new(MAX_PROCS),
            timerp_mask: PMask::new(MAX_PROCS),
            inner: Mutex::new(Inner {
                pidle: Vec::new(),
                midle: Vec::new(),
                mcount: 0,
                guests: 0,
                next_mid: 0,
                threads: Vec::new(),
                warned_exhausted: false,
                stopwait: 0,
            }),
            injector: Injector::new(),
            registry: Registry::new(),
            goids: AtomicU64::new(1),
            foreign_spawned: Counter::default(),
            foreign_finished: Counter::default(),
            gfree: Shelf::new(),
            cancelled: Counter::default(),
            panicked: Counter::default(),
            word: AtomicU32::new(OPEN),
            fatal: OnceLock::new(),
            reactor,
            lastpoll: AtomicU64::new(now),
            poll_until: AtomicU64::new(0),
            grain: Grain::default(),
            turns: Turns::default(),
            suspects: Suspects::default(),
            suspended: suspend::List::default(),
            sysmon_waits: AtomicBool::new(false),
            sysmon_note: Note::new(),
            outside: Sampler::new(),
            handoffs: Counter::default(),
            preemptions: Counter::default(),
            thread_failures: Counter::default(),
            world: Mutex::new(()),
            stop_wanted: AtomicBool::new(false),
            stop_note: Note::new(),
            safe_point: Mutex::new(None),
            allm: Mutex::new(Vec::new()),
            started: now,
            config,
            deadlock_told: AtomicBool::new(false),
            procs_fixed: AtomicBool::new(procs_fixed),
            coarse: AtomicU32::new((now / 1_000_000) as u32),
            virtual_now: AtomicU64::new(0),
            clock_ahead: AtomicU64::new(0),
        };
        {
            // High ids first, so that the low ones end on top of the stack.
            let mut guard = sched.lock();
            for id in (0..procs).rev() {
                sched.make_p(id);
                guard.pidle_put(sched.p(id));
            }
        }
        sched
    }

    /// Whether this process is a child of fork and the runtime its parent's.
    #[inline]
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.origin.is_elsewhere()
    }

    /// # Panics
    /// In a child of fork.
    #[inline]
    #[track_caller]
    pub(crate) fn assert_here(&self) {
        assert!(!self.is_elsewhere(), "{}", fork::CURE);
    }

    #[track_caller]
    pub(crate) fn lock(&self) -> SchedGuard<'_> {
        // The net under all other checks: a thread that is not there may hold it.
        self.assert_here();
        SchedGuard {
            sched: self,
            inner: lock(&self.inner),
        }
    }

    pub(crate) fn procs(&self) -> u32 {
        self.gomaxprocs.load(Ordering::Relaxed) // ord: changes only while the world stands still
    }

    /// The P with this id; it exists since the id was below `gomaxprocs`.
    pub(crate) fn p(&self, id: u32) -> &P {
        self.allp[id as usize]
            .get()
            .expect("gmp: a P below gomaxprocs exists")
    }

    /// Tasks in the global queue and behind it, for people.
    pub(crate) fn global_len(&self) -> usize {
        let behind: usize = self.all_ps().map(|pp| pp.yielded.len()).sum();
        self.injector.len() + behind
    }

    /// All Ps below `gomaxprocs`.
    pub(crate) fn all_ps(&self) -> impl Iterator<Item = &P> {
        (0..self.procs()).map(|id| self.p(id))
    }

    /// How many timers have fired.
    pub(crate) fn timers_fired(&self) -> u64 {
        self.all_ps().map(|pp| pp.stats.timers_fired.get()).sum()
    }

    /// Creates the P with this id, if it is new.
    pub(crate) fn make_p(&self, id: u32) {
        self.allp[id as usize].get_or_init(|| Box::new(P::new(id, self.number())));
    }

    /// What tells this runtime from the others that there are: an address, never followed.
    pub(crate) fn number(&self) -> usize {
        Sched::number_of(&self.reactor)
    }

    /// The number of the runtime that has this reactor.
    pub(crate) fn number_of(reactor: &Arc<Reactor>) -> usize {
        Arc::as_ptr(reactor).addr()
    }

    /// The number of Ps is the user's choice from now on.
    pub(crate) fn fix_procs(&self) {
        self.procs_fixed.store(true, Ordering::Relaxed); // ord: sysmon's hint
    }

    /// The world stands still.
    pub(crate) fn set_gomaxprocs(&self, procs: u32) {
        self.gomaxprocs.store(procs, Ordering::Release); // ord: after the Ps exist
    }

    pub(crate) fn stop_is_wanted(&self) -> bool {
        self.stop_wanted.load(Ordering::Relaxed) // ord: hint; the lock decides
    }

    pub(crate) fn is_exiting(&self) -> bool {
        self.phase() == EXITING
    }

    /// The runtime's clock, which tests may stop.
    pub(crate) fn nanotime(&self) -> u64 {
        match self.virtual_now.load(Ordering::Acquire) {
            0 => clock::nanotime().saturating_add(self.clock_ahead.load(Ordering::Relaxed)),
            stopped => stopped, // ord: set by pause and advance
        }
    }

    /// Milliseconds, as read by whoever looked at the clock last.
    pub(crate) fn coarse_ms(&self) -> u32 {
        self.coarse.load(Ordering::Relaxed) // ord: for people
    }

    pub(crate) fn set_coarse(&self, now: u64) {
        self.coarse
            .store((now / 1_000_000) as u32, Ordering::Relaxed); // ord: for people
    }

    /// The real clock.
    pub(crate) fn real_nanotime(&self) -> u64 {
        clock::nanotime()
    }

    pub(crate) fn go117(&self) -> bool {
        self.config.rules == Rules::Go117
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word(self.word.load(Ordering::Acquire)) // ord: sees what led to the phase
    }

    pub(crate) fn phase(&self) -> u32 {
        self.word().0 & PHASE
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.word().is_closing()
    }

    /// The phase comes. Returns the one before, which is no later.
    pub(crate) fn enter_phase(&self, phase: u32) -> u32 {
        // ord: spawners count, then read the phase; who closes writes it, then counts
        self.word.fetch_or(phase, Ordering::SeqCst) & PHASE
    }

    /// Diagnostics look at the runtime from now on, or no more.
    pub(crate) fn set_watched(&self, by: u32, on: bool) {
        if on {
            self.word.fetch_or(by, Ordering::SeqCst); // ord: before the epoch (probe/hooks.rs)
        } else {
            self.word.fetch_and(!by, Ordering::Release); // ord: after what the look has read
        }
    }

    /// Tasks spawned and not ended. Exact when nothing moves.
    pub(crate) fn live_tasks(&self) -> u64 {
        let (spawned, finished) = self.task_counts();
        spawned - finished
    }

    /// Tasks spawned so far and tasks that have ended, in whatever way. The ends
    /// are read first: what has ended was spawned, and if the two are equal there
    /// was no task at one moment.
    pub(crate) fn task_counts(&self) -> (u64, u64) {
        let finished = self.ended_tasks();
        let spawned: u64 = self.ps_ever().map(|p| p.stats.spawned.get()).sum();
        (self.foreign_spawned.get() + spawned, finished)
    }

    /// Tasks that have ended, in whatever way.
    pub(crate) fn ended_tasks(&self) -> u64 {
        let finished: u64 = self.ps_ever().map(|p| p.stats.finished.get()).sum();
        self.foreign_finished.get() + finished
    }

    /// Every P that there ever was: those that `set_procs` took away have counted.
    fn ps_ever(&self) -> impl Iterator<Item = &P> {
        (0..MAX_PROCS)
            .map_while(|id| self.allp[id].get())
            .map(|p| &**p)
    }

    /// The tasks that are inside a poll, a line each.
    pub(crate) fn running_dump(&self) -> Vec<String> {
        let ms = lock(&self.allm);
        let running = ms.iter().filter_map(|mp| {
            let goid = mp.goid.load(Ordering::Relaxed); // ord: for people
            let site = crate::leaf::location_of(mp.spawn_loc.load(Ordering::Relaxed)); // ord: as above
            (goid != 0).then(|| {
                let site = site.map_or_else(|| "?".to_owned(), ToString::to_string);
                format!("goroutine {goid} [running]:\ncreated at {site}")
            })
        });
        running.collect()
    }

    /// A goid for a task that is spawned without a P.
    pub(crate) fn foreign_goid(&self) -> u64 {
        self.goids.fetch_add(1, Ordering::Relaxed) // ord: uniqueness is all
    }

    pub(crate) fn wake_sysmon(&self) {
        // ord: form R with sysmon's own swap; a missed one costs one sysmon period
        if self.sysmon_waits.load(Ordering::Acquire)
            && self.sysmon_waits.swap(false, Ordering::AcqRel)
        {
            self.sysmon_note.wake();
        }
    }
}

impl Drop for Sched {
    fn drop(&mut self) {
        if orphan::ON {
            orphan::end_of(self);
        }
    }
}

impl std::fmt::Debug for Sched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sched")
            .field("procs", &self.procs())
            .field("idle", &self.idle)
            .field("injector", &self.global_len())
            .finish_non_exhaustive()
    }
}

/// The scheduler lock, held.
pub(crate) struct SchedGuard<'a> {
    sched: &'a Sched,
    pub(crate) inner: MutexGuard<'a, Inner>,
}

impl<'a> SchedGuard<'a> {
    /// Puts a P that nobody has on the idle list (R-P-3).
    pub(crate) fn pidle_put(&mut self, pp: &P) {
        debug_assert!(!pp.has_work(), "gmp: pidleput: P has runnable tasks");
        pp.set_status(PIDLE);
        pp.m.store(0, Ordering::Release); // ord: with the status
        if pp.timers.next() == 0 {
            jitter::point();
            self.sched.timerp_mask.clear(pp.id);
            // Who arms a timer from outside sets the bit after it, perhaps before we
            // cleared it. Then the clearing has seen that, and this look sees the timer.
            if pp.timers.next() != 0 {
                self.sched.timerp_mask.set(pp.id);
            }
        }
        self.sched.idlep_mask.set(pp.id);
        self.inner.pidle.push(pp.id);
        self.sched.idle.p_idle();
    }

    /// Takes the P that went idle last.
    pub(crate) fn pidle_get(&mut self) -> Option<&'a P> {
        let id = self.inner.pidle.pop()?;
        let pp = self.sched.p(id);
        self.sched.timerp_mask.set(id);
        self.sched.idlep_mask.clear(id);
        self.sched.idle.p_busy();
        pp.set_status(PRUNNING);
        // Every end of idleness may be the end of sysmon's deep sleep: a poll
        // that an event started makes no system call that would wake it.
        self.sched.wake_sysmon();
        Some(pp)
    }

    /// As [`SchedGuard::pidle_get`] for somebody who knows of work: if there is
    /// no P, whoever drops one next must search first (L-3).
    pub(crate) fn pidle_get_spinning(&mut self) -> Option<&'a P> {
        let pp = self.pidle_get();
        if pp.is_none() {
            self.sched.idle.set_need_spinning();
        }
        pp
    }

    pub(crate) fn idle_ids(&self) -> impl Iterator<Item = u32> {
        self.inner.pidle.iter().copied()
    }

    pub(crate) fn idle_ps(&self) -> usize {
        self.inner.pidle.len()
    }
}
