//! Worlds built by hand.
//!
//! A [`World`] is a `Sched` without sysmon and without threads. Its Ms are
//! values on the test's stack; the Ms that `start_m` may find idle are parked by
//! [`World::park_ms`] and come back from [`World::started`]. The limit of threads
//! is 0, so a start that finds no parked M is noticed at the end of the test.

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::Location;
use std::task::{Context, Poll, Waker};

use gmp_reactor::Reactor;

use crate::deadlock::OnDeadlock;
use crate::g::{Extra, ReadyG, join};
use crate::idle::Counts;
use crate::m::{self, Entered, M, MShared};
use crate::p::P;
use crate::panics::PanicPolicy;
use crate::ready;
use crate::runq::Item;
use crate::sched::{Config, Hooks, Rules, Sched};
use crate::sync::{Arc, Mutex, Ordering, lock};
use crate::{execute, proc};

/// Both rule sets.
pub(super) const RULES: [Rules; 2] = [Rules::Go117, Rules::Default];

/// A number in a queue.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) struct Num(pub(super) u32);

#[expect(unsafe_code, reason = "a number travels as the address that it counts")]
// SAFETY: the address of n is n + 1: never null, and back the same way.
unsafe impl Item for Num {
    fn into_raw(self) -> *mut () {
        std::ptr::without_provenance_mut(self.0 as usize + 1)
    }

    unsafe fn from_raw(raw: *mut ()) -> Num {
        Num(u32::try_from(raw.addr() - 1).expect("made by into_raw"))
    }
}

/// A scheduler in the test's hands.
pub(super) struct World {
    pub(super) sched: Arc<Sched>,
    parked: RefCell<Vec<Arc<MShared>>>,
    ran: Arc<Mutex<Vec<u64>>>,
    seen: RefCell<Vec<ReadyG>>,
}

impl World {
    /// `procs` idle Ps, number 0 on top of the idle list.
    pub(super) fn new(rules: Rules, procs: u32) -> World {
        let config = Config {
            rules,
            procs,
            max_threads: 0,
            thread_name: "by-hand".to_owned(),
            stack_size: None,
            keep_alive: None,
            time_slice: 10_000_000,
            handoff: false,
            seed: 1,
            schedtrace: None,
            scheddetail: false,
            on_deadlock: OnDeadlock::Off,
            panic_policy: PanicPolicy::Log,
            auto_procs: false,
        };
        let reactor = Reactor::new().expect("a reactor can be made");
        World {
            sched: Arc::new(Sched::new(config, Hooks::default(), reactor)),
            parked: RefCell::default(),
            ran: Arc::default(),
            seen: RefCell::default(),
        }
    }

    /// A new M with the idle P that is on top.
    pub(super) fn m(&self) -> M {
        let m = M::new(self.sched.clone(), m::attach(&self.sched), false);
        assert!(m.try_acquire_idle(), "the test needs one more idle P");
        m
    }

    /// As many Ms as there are Ps, each with one: no P is idle.
    pub(super) fn all_ms(&self) -> Vec<M> {
        (0..self.sched.procs()).map(|_| self.m()).collect()
    }

    /// Puts `n` Ms without a thread on the idle list.
    pub(super) fn park_ms(&self, n: usize) {
        for _ in 0..n {
            let shared = m::attach(&self.sched);
            self.sched.lock().inner.midle.push(shared.clone());
            self.parked.borrow_mut().push(shared);
        }
    }

    /// The parked Ms that were started since the last call, in this order, with
    /// the Ps that they were given.
    pub(super) fn started(&self) -> Vec<M> {
        let idle: Vec<u32> = {
            let guard = self.sched.lock();
            guard.inner.midle.iter().map(|shared| shared.id).collect()
        };
        let started: Vec<Arc<MShared>> = self
            .parked
            .borrow_mut()
            .extract_if(.., |shared| !idle.contains(&shared.id))
            .collect();
        // The idle list is a stack.
        started
            .into_iter()
            .rev()
            .map(|shared| {
                shared.note.sleep();
                let m = M::new(self.sched.clone(), shared, false);
                assert!(m::accept_next(&m), "an M was started without a P");
                m
            })
            .collect()
    }

    /// A runnable task on no queue: notes its number whenever it is polled, and
    /// does as `poll` says.
    pub(super) fn task(
        &self,
        id: u64,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<()> + Send + 'static,
    ) -> ReadyG {
        let ran = self.ran.clone();
        let future = poll_fn(move |cx| {
            lock(&ran).push(id);
            poll(cx)
        });
        let (_, gp, _) = ready::spawn_at_home(
            &self.sched,
            future,
            Location::caller(),
            Extra::default(),
            id,
            0,
        );
        gp
    }

    /// A task that ends in its first poll.
    pub(super) fn g(&self, id: u64) -> ReadyG {
        self.task(id, |_| Poll::Ready(()))
    }

    /// Several of them.
    pub(super) fn gs(&self, ids: impl IntoIterator<Item = u64>) -> Vec<ReadyG> {
        ids.into_iter().map(|id| self.g(id)).collect()
    }

    /// The waker of a task that is parked; woken, it ends in its next poll.
    pub(super) fn parked_g(&self, m: &M, id: u64) -> Waker {
        let slot: Arc<Mutex<Option<Waker>>> = Arc::default();
        let mut first = true;
        let gp = self.task(id, {
            let slot = slot.clone();
            move |cx| {
                if std::mem::take(&mut first) {
                    *lock(&slot) = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(())
            }
        });
        assert_eq!(self.execute(m, gp), [id]);
        lock(&slot).take().expect("its first poll left the waker")
    }

    /// Puts a task at the tail of the M's own ring, or in `runnext`.
    pub(super) fn put(&self, pp: &P, gp: ReadyG, next: bool) {
        ready::runqput(&self.sched, pp, gp, next);
    }

    /// Puts tasks with these numbers at the tail of the ring.
    pub(super) fn fill(&self, pp: &P, ids: impl IntoIterator<Item = u64>) {
        for gp in self.gs(ids) {
            self.put(pp, gp, false);
        }
    }

    /// Runs a task on `m`, without a slice of its own; gives who ran.
    pub(super) fn execute(&self, m: &M, gp: ReadyG) -> Vec<u64> {
        let _entered = Entered::new(m);
        execute::execute(m, gp, true);
        std::mem::take(&mut *lock(&self.ran))
    }

    /// Lets `m` run rounds; gives the numbers of the tasks that were polled.
    pub(super) fn rounds(&self, m: &M, n: usize) -> Vec<u64> {
        let _entered = Entered::new(m);
        for _ in 0..n {
            assert!(proc::round(m), "there is no task for this round");
        }
        std::mem::take(&mut *lock(&self.ran))
    }

    /// What `m` would run next, and whether it would inherit the slice.
    pub(super) fn find(&self, m: &M) -> (u64, bool) {
        let _entered = Entered::new(m);
        let (gp, inherit) = proc::find_runnable(m).expect("there is a task");
        (self.id(gp), inherit)
    }

    /// Calls `f` as code of the runtime on `m`'s thread.
    pub(super) fn on<R>(&self, m: &M, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(m);
        f()
    }

    /// The number of a task, which stays out of all queues.
    pub(super) fn id(&self, gp: ReadyG) -> u64 {
        let id = gp.header().goid;
        self.seen.borrow_mut().push(gp);
        id
    }

    /// Empties a P's queue: `runnext`, and the ring in order.
    pub(super) fn drain(&self, pp: &P) -> (Option<u64>, Vec<u64>) {
        let next = pp.runq.take_runnext().map(|gp| self.id(gp));
        let ring = std::iter::from_fn(|| pp.runq.get_ring());
        (next, ring.map(|gp| self.id(gp)).collect())
    }

    /// Empties the global queue.
    pub(super) fn drain_global(&self) -> Vec<u64> {
        std::iter::from_fn(|| self.sched.injector.pop())
            .map(|gp| self.id(gp))
            .collect()
    }

    pub(super) fn set_tick(&self, pp: &P, tick: u32) {
        pp.schedtick.store(tick, Ordering::Relaxed); // ord: one thread
    }

    pub(super) fn counts(&self) -> Counts {
        self.sched.idle.counts()
    }
}

impl Drop for World {
    /// Ends every task, so that none of them leaks.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(
            !self.sched.lock().inner.warned_exhausted,
            "an M was to be started and none was parked"
        );
        // The runtime contains what a task asserts.
        assert_eq!(self.sched.panicked.get(), 0, "a task of the test panicked");
        let mut left: Vec<ReadyG> = self.seen.take();
        let mut waiting = Vec::new();
        self.sched
            .registry
            .for_each(|_, reference| waiting.push(reference()));
        for task in waiting {
            join::abort(task.ptr());
        }
        for pp in self.sched.all_ps() {
            pp.drain(|gp| left.push(gp));
            pp.m.store(0, Ordering::Relaxed); // ord: one thread
        }
        left.extend(std::iter::from_fn(|| self.sched.injector.pop()));
        let m = M::new(self.sched.clone(), m::attach(&self.sched), false);
        m.acquire_p(self.sched.p(0));
        let _entered = Entered::new(&m);
        for gp in left {
            let task = gp.into_ptr();
            join::abort(task);
            #[expect(unsafe_code, reason = "takes the pointer back")]
            // SAFETY: it came from into_ptr.
            let gp = unsafe { ReadyG::from_ptr(task) };
            execute::execute(&m, gp, true);
        }
    }
}
