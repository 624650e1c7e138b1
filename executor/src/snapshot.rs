//! What every task was doing at one moment, without stopping the world for as long
//! as the look at all of them takes.
//!
//! A snapshot is an *epoch*. Everybody who changes a task after the epoch leaves
//! behind what the task was at the epoch, before the change (`g/prof.rs`, by the
//! hooks of `probe/hooks.rs`); a walker collects the others, one after another,
//! while the program goes on. So the set is a consistent cut: no effect without its
//! cause.
//!
//! 1. *Open.* The world stops for a look at the Ps: O(P), and what the queues hold
//!    of tasks that have never waited, which are on no list. A poll that does not
//!    give way within [`BUDGET`] goes on without its P. The epoch is published,
//!    those tasks are recorded, the world starts.
//! 2. *Walk.* The registry, a few slots under a lock at a time, and the core is
//!    offered to others in between (`turns.rs`); meanwhile others take records of
//!    what they overwrite. A task of now is born recorded.
//! 3. *Close.* The buffers of those records are closed, then read.
//!
//! How everybody comes to know the epoch:
//!
//! * An M with a P has given it up, and sees all that came before when it gets one.
//! * An M in a poll without a P, or in a blocking section, may have looked at the
//!   flags just before the epoch and make its change after it. A heavy fence lies
//!   between the epoch and the walk; its partner is the light fence at the end of a
//!   poll (`fence.rs`). So all that the M did before that look is seen by the
//!   walker, and all that it does after the change knows the epoch: the change
//!   itself is from before the epoch, or from after it, as the walker comes to see
//!   it. Where there is no membarrier, that holds for polls and not for two wakes
//!   in one poll, on machines that let a load pass an exchange.
//! * The same goes for a thread beside the runtime that wakes a task. Nothing of the
//!   runtime that came after the epoch is the cause of such a wake, for then the
//!   thread would have seen the epoch too.
//!
//! If every M had given up its P, or was in a blocking section, the cut is one
//! moment: [`Mode::Exact`]. Else each straggler has a moment of its own, and is
//! named: [`Mode::Ragged`].

#![expect(unsafe_code, reason = "reads the fixed fields of queued tasks")]

mod room;
#[cfg(test)]
mod tests;
mod turns;

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use crate::fence::heavy_fence;
use crate::fork::Process;
use crate::g::prof::Epoch;
use crate::g::state::RUNNING;
use crate::g::{Header, ReadyG, TaskRef};
use crate::handle::Handle;
use crate::leaf;
use crate::m::{self, MShared};
use crate::polltick::Seen;
use crate::probe::{self, Taking};
use crate::sched::Sched;
use crate::stacks::{self, Stack};
use crate::stw::{self, WorldStopped};
use crate::sync::{Arc, Ordering, lock, try_lock};
use crate::syscall::block_in_place;

use self::turns::Turns;

pub use crate::orphan::Dropper;
pub use crate::probe::{Status, TaskInfo};

/// Whether this build tells who dropped the last waker of a task: one with debug
/// assertions, or with `--cfg gmp_watch_wakers`.
pub const NAMES_DROPPERS: bool = crate::orphan::ON;

/// So long the opening waits for polls to give way.
const BUDGET: Duration = Duration::from_micros(50);
/// Slots that are looked at under one lock: some microseconds.
const STEP: u32 = 128;
/// From this many tasks on the caller goes on without its P, for the others' sake.
const MANY: usize = 2000;

/// Whether a snapshot is one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// No task was inside a poll, except in blocking sections.
    Exact,
    /// Some polls did not give way in time. Each of them has a moment of its own;
    /// still no effect is seen without its cause.
    Ragged,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Exact => "exact",
            Mode::Ragged => "ragged",
        })
    }
}

/// A poll that did not give way to a snapshot.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Straggler {
    /// The task's id.
    pub id: u64,
    /// The number of its thread in this runtime.
    pub thread: u32,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// How long the poll has lasted, at least.
    pub polled_for: Duration,
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, thread, at) = (self.id, self.thread, self.spawned_at);
        write!(
            f,
            "goroutine {id} on thread {thread} is in a poll of at least {:?}, created at {at}",
            self.polled_for
        )
    }
}

/// How a snapshot went.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Shot {
    /// Whether it is one moment.
    pub mode: Mode,
    /// How long the world stood still.
    pub stop: Duration,
    /// How long it took.
    pub wall: Duration,
    /// How many tasks it has.
    pub tasks: usize,
    /// Tasks spawned and not ended, as counted at its moment. The tasks of
    /// `block_on` do not count.
    pub alive: u64,
    /// The polls that went on.
    pub stragglers: Vec<Straggler>,
}

impl fmt::Display for Shot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |time: Duration| Duration::from_micros(time.as_micros() as u64);
        let (mode, tasks) = (self.mode, self.tasks);
        let (stop, wall) = (micros(self.stop), micros(self.wall));
        write!(f, "mode={mode} stop={stop:?} wall={wall:?} tasks={tasks}")
    }
}

/// What a snapshot tells of polls that have lasted for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polls {
    /// That they go on.
    Named,
    /// Their stacks as well, for which their threads are interrupted: see
    /// [`set_poll_stacks`](crate::stacks::set_poll_stacks).
    Asked,
}

/// Every task of the runtime, in the order of ids.
pub fn tasks(handle: &Handle) -> Vec<TaskInfo> {
    take(handle, Polls::Named).0
}

/// Every task of the runtime, in the order of ids, and how that went.
pub fn take(handle: &Handle, polls: Polls) -> (Vec<TaskInfo>, Shot) {
    let mut found = room::list(handle.sched().registry.len() + 64);
    let shot = visit(handle, polls, |part| found.append(part));
    // Records are large: their numbers are sorted, and each record moves once.
    if !found.is_sorted_by_key(|task| task.id) {
        found.sort_by_cached_key(|task| task.id);
    }
    name_places(&mut found);
    (found, shot)
}

/// Gives tasks that join without a place of their own that of the task which they join.
fn name_places(tasks: &mut [TaskInfo]) {
    for at in 0..tasks.len() {
        let TaskInfo { location: None, .. } = tasks[at] else {
            continue;
        };
        if let Some(id) = tasks[at].joins()
            && let Ok(other) = tasks.binary_search_by_key(&id, |task| task.id)
        {
            tasks[at].location = Some(tasks[other].spawned_at);
        }
    }
}

/// Calls `each` with some tasks at a time, in no order, until it has seen every task of
/// the runtime once: nobody need keep them all, and what it does not take out of the
/// list is thrown away. It must not ask for a snapshot itself.
pub fn visit(handle: &Handle, polls: Polls, each: impl FnMut(&mut Vec<TaskInfo>)) -> Shot {
    walk(handle.sched(), Hooks::On, polls, each)
}

/// As [`visit`], in Go's way of `runtime.Stack(all = true)`: the world stands still until
/// all tasks are seen. Nobody wants that but to measure what [`visit`] spares.
#[doc(hidden)]
pub fn visit_stopped(handle: &Handle, polls: Polls, each: impl FnMut(&mut Vec<TaskInfo>)) -> Shot {
    walk(handle.sched(), Hooks::Stopped, polls, each)
}

/// The task that runs on this thread. No lock, no stop.
pub fn current() -> Option<TaskInfo> {
    m::with_current(|m| {
        let m = m?;
        // SAFETY: the running task outlives the call that it makes.
        let header = unsafe { m.curg.get().as_ref() }?;
        TaskInfo::of(header, RUNNING, 0)
    })
}

/// Whether the epoch is published: without it, what the walker sees is no cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hooks {
    On,
    /// As well, and the world stands still for all of it.
    Stopped,
    #[cfg(test)]
    Off,
}

/// Closes the snapshot, even if the caller's function has panicked.
struct Closing<'a>(&'a Sched);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        probe::close(self.0);
        probe::clear();
    }
}

#[track_caller]
pub(crate) fn walk(
    sched: &Arc<Sched>,
    hooks: Hooks,
    polls: Polls,
    each: impl FnMut(&mut Vec<TaskInfo>),
) -> Shot {
    sched.assert_here();
    // Before the epoch, so that nobody pays for the time of the answers.
    let stacks = match polls {
        Polls::Named => Vec::new(),
        Polls::Asked => stacks::of_long_polls(sched),
    };
    let last = &Process::here().last_epoch;
    let mut last = try_lock(last).unwrap_or_else(|| block_in_place(|| lock(last)));
    let epoch = Epoch::next(*last);
    *last = Some(epoch);
    let begun = Instant::now();
    let now_ms = (sched.real_nanotime() / 1_000_000) as u32;
    let taking = probe::open(sched, epoch, now_ms);
    let closing = Closing(sched);
    let mut open = open(sched, hooks, taking);
    let mut sink = Sink {
        polls: std::mem::take(&mut open.polls),
        stacks,
        tasks: 0,
        each,
    };
    sink.give(&mut open.unlisted);
    if hooks != Hooks::Stopped {
        open.start();
    }

    let batch = RefCell::new(Vec::with_capacity(STEP as usize));
    let look = |header: &Header| {
        let mut batch = batch.borrow_mut();
        let before = batch.len();
        // A record is made where it stays: a copy of it takes as long as the look.
        let seen = header.park.prof.look(epoch, &header.state, |status| {
            batch.truncate(before); // the copy before this one was in vain
            if let Some(task) = TaskInfo::of(header, status, now_ms) {
                batch.push(task);
            }
        });
        if seen.is_none() {
            batch.truncate(before);
        }
    };
    let mut others = Vec::new();
    // In a stopped world there is nobody to give way to.
    let mut turns = (hooks != Hooks::Stopped).then(Turns::begin);
    sched.registry.walk(STEP, look, || {
        if let Some(turns) = &mut turns {
            turns.give_way();
        }
        sink.give(&mut batch.borrow_mut());
        probe::drain(&mut others, &mut |part| sink.give(part));
    });
    probe::close(sched);
    probe::drain(&mut others, &mut |part| sink.give(part));
    drop(closing);
    open.start();
    let stragglers = sink.stragglers();
    Shot {
        mode: if stragglers.is_empty() {
            Mode::Exact
        } else {
            Mode::Ragged
        },
        stop: open.stop,
        wall: begun.elapsed(),
        tasks: sink.finish(),
        alive: open.alive,
        stragglers,
    }
}

/// What is known of the moment at which the world stands still.
struct Open<'a> {
    world: Option<WorldStopped<'a>>,
    begun: Instant,
    /// How long it stood.
    stop: Duration,
    /// Tasks that no list has.
    unlisted: Vec<TaskInfo>,
    /// Polls that went on.
    polls: Vec<Poll>,
    alive: u64,
}

impl Open<'_> {
    /// Starts the world, unless it has been started.
    fn start(&mut self) {
        if self.world.take().is_some() {
            self.stop = self.begun.elapsed();
        }
    }
}

fn open(sched: &Arc<Sched>, hooks: Hooks, taking: Taking) -> Open<'_> {
    let many = sched.registry.len() >= MANY;
    let begun = Instant::now();
    let mut world = stw::stop_within(sched, BUDGET);
    let own = m::with_current(|m| {
        let m = m.filter(|m| Arc::ptr_eq(&m.sched, sched))?;
        Some(m.shared.id)
    });
    // Before the epoch: a poll that ends in between is none that it cuts in two.
    let polls = polls(sched, own, taking.now_ms);
    if matches!(hooks, Hooks::On | Hooks::Stopped) {
        probe::publish(sched, taking.epoch);
        if !polls.is_empty() {
            heavy_fence(); // partner: the light fence at the end of a poll
        }
    }
    let alive = sched.live_tasks();
    let mut unlisted = Vec::new();
    let mut see = |header: &Header| {
        // ord: written by who has the right to run it, and none of them runs it
        if header.slot.load(Ordering::Relaxed) == 0
            && let Some(status) = header.park.prof.claim(taking.epoch, &header.state)
        {
            unlisted.extend(TaskInfo::of(header, status, taking.now_ms));
        }
    };
    queued(sched, &mut see);
    m::with_current(|m| {
        let m = m.filter(|m| Some(m.shared.id) == own);
        // SAFETY: the running task outlives the call that it makes.
        if let Some(header) = m.and_then(|m| unsafe { m.curg.get().as_ref() }) {
            see(header);
        }
    });
    if many && hooks != Hooks::Stopped {
        world.leave_own();
    }
    Open {
        world: Some(world),
        begun,
        stop: Duration::ZERO,
        unlisted,
        polls,
        alive,
    }
}

/// A poll that goes on while the world stands still.
struct Poll {
    mp: Arc<MShared>,
    id: u64,
    spawned_at: &'static Location<'static>,
    /// Where its blocking section was called; None: it is in none.
    section: Option<&'static Location<'static>>,
    age: Duration,
    tick: Seen,
    /// Its task, which may be on no list. None: it was in the runtime's code all the time.
    task: Option<TaskInfo>,
    /// Whether its task has been met on a list.
    met: bool,
}

impl Poll {
    /// Its stack, if it has been this poll all the time.
    fn stack_in(&self, stacks: &[Stack]) -> Option<Arc<[usize]>> {
        let is_mine = |stack: &&Stack| stack.thread == self.mp.id && stack.id == self.id;
        let stack = stacks.iter().find(is_mine)?;
        stack
            .poll
            .is_poll_of(self.tick)
            .then(|| stack.frames.clone())
    }

    /// What becomes of its task's record in a blocking section. False: it is in none.
    fn blocks(&self, task: &mut TaskInfo) -> bool {
        if self.section.is_some() {
            task.status = Status::Syscall;
            task.location = self.section;
        }
        self.section.is_some()
    }

    /// Its task, if no list has it.
    fn into_task(mut self, stacks: &[Stack]) -> TaskInfo {
        let seen = self.task.take();
        let mut task = seen.unwrap_or_else(|| TaskInfo::polled(self.id, self.spawned_at));
        if !self.blocks(&mut task) {
            task.stack = self.stack_in(stacks);
        }
        task
    }
}

/// The world stands still.
fn polls(sched: &Sched, own: Option<u32>, now_ms: u32) -> Vec<Poll> {
    let now = sched.real_nanotime();
    let ms = lock(&sched.allm);
    let polls = ms.iter().filter(|mp| Some(mp.id) != own).filter_map(|mp| {
        let id = mp.goid.load(Ordering::Acquire); // ord: with the place of its spawn
        let spawned_at = leaf::location_of(mp.spawn_loc.load(Ordering::Relaxed))?; // ord: for people
        let see = |header: &Header| {
            let task = TaskInfo::of(header, RUNNING, now_ms)?;
            (task.id == id).then_some(task)
        };
        let (tick, age) = (mp.polltick.look(), mp.polltick.age(now));
        if id != 0 && age.is_zero() {
            // sysmon goes by Ps, and this poll may have lost its own before it was seen.
            mp.polltick.note(tick, now);
        }
        (id != 0).then(|| Poll {
            // SAFETY: by contract; the lock is held here.
            task: unsafe { mp.look_at_poll(see) }.flatten(),
            mp: mp.clone(),
            id,
            spawned_at,
            section: mp.section(),
            age,
            tick,
            met: false,
        })
    });
    let mut polls: Vec<Poll> = polls.collect();
    polls.sort_by_key(|poll| poll.id);
    polls
}

/// Where the records go.
struct Sink<F> {
    polls: Vec<Poll>,
    /// Those of polls that had lasted for long before.
    stacks: Vec<Stack>,
    tasks: usize,
    each: F,
}

impl<F: FnMut(&mut Vec<TaskInfo>)> Sink<F> {
    fn give(&mut self, part: &mut Vec<TaskInfo>) {
        if !self.polls.is_empty() {
            part.iter_mut().for_each(|task| self.meet(task));
        }
        self.tasks += part.len();
        (self.each)(part);
        part.clear();
    }

    fn meet(&mut self, task: &mut TaskInfo) {
        if let Ok(at) = self.polls.binary_search_by_key(&task.id, |poll| poll.id) {
            let poll = &mut self.polls[at];
            poll.met = true;
            if !poll.blocks(task) && task.status == Status::Running {
                task.stack = poll.stack_in(&self.stacks);
            }
        }
    }

    fn stragglers(&self) -> Vec<Straggler> {
        let stragglers = self.polls.iter().filter(|poll| poll.section.is_none());
        stragglers
            .map(|poll| Straggler {
                id: poll.id,
                thread: poll.mp.id,
                spawned_at: poll.spawned_at,
                polled_for: poll.age,
            })
            .collect()
    }

    /// Gives the tasks that only their Ms know; how many there were in all.
    fn finish(mut self) -> usize {
        let unmet = std::mem::take(&mut self.polls);
        let unmet = unmet.into_iter().filter(|poll| !poll.met);
        let tasks = unmet.map(|poll| poll.into_task(&self.stacks));
        let mut unmet: Vec<TaskInfo> = tasks.collect();
        self.give(&mut unmet);
        self.tasks
    }
}

/// The task with this number, if it is on a queue. The world stands still.
pub(crate) fn find_queued(sched: &Sched, id: u64) -> Option<TaskRef> {
    let mut found = None;
    queued(sched, |header| {
        if header.goid == id {
            // SAFETY: queued, so alive.
            found = Some(unsafe { TaskRef::new(NonNull::from(header)) });
        }
    });
    found
}

/// Calls `look` with every queued task. The world stands still.
fn queued(sched: &Sched, mut look: impl FnMut(&Header)) {
    let mut see = |gp: &ReadyG| look(gp.header());
    for pp in sched.all_ps() {
        pp.runq.peek(|raw| {
            // SAFETY: queued, and every P stands still: nobody runs it.
            see(&unsafe { ReadyG::from_ptr(NonNull::new_unchecked(raw.cast())) });
        });
        pp.yielded.peek(&mut see);
    }
    let global: Vec<ReadyG> = std::iter::from_fn(|| sched.injector.pop()).collect();
    global.iter().for_each(&mut see);
    sched.injector.push_all(global);
    for mp in lock(&sched.allm).iter() {
        lock(&mp.inbox).tasks.iter().for_each(&mut see);
    }
}
