//! Invariants of a cut, on programs whose tasks are always on the move; and the
//! same looked at without the epoch, where they must not hold.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::Location;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::{Hooks, Mode, Polls, Shot, Status, TaskInfo, visit, walk};
use crate::fork::Process;
use crate::g::join::AbortHandle;
use crate::probe::WaitReason;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::syscall::block_in_place;
use crate::{Builder, Handle, Runtime, leaf, m, stacks};

#[cfg(gmp_jitter)]
mod jittered;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().expect("a runtime")
}

/// All tasks, and how that went.
fn look(handle: &Handle, hooks: Hooks) -> (Vec<TaskInfo>, Shot) {
    let mut tasks = Vec::new();
    let shot = walk(handle.sched(), hooks, Polls::Named, |part| {
        tasks.append(part)
    });
    assert_eq!(tasks.len(), shot.tasks);
    (tasks, shot)
}

fn by_id(tasks: &[TaskInfo]) -> HashMap<u64, &TaskInfo> {
    let map: HashMap<u64, &TaskInfo> = tasks.iter().map(|task| (task.id, task)).collect();
    assert_eq!(map.len(), tasks.len(), "a task was seen twice");
    map
}

/// Calls `check` again and again for a while, until it says that it has seen enough.
fn for_a_while(check: impl FnMut() -> bool) {
    repeat(Duration::from_millis(1500), check);
}

fn repeat(time: Duration, mut check: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while Instant::now() < end && !check() {}
}

/// A place for a token, and who waits for it.
#[derive(Default)]
struct Seat {
    token: bool,
    waker: Option<Waker>,
}

/// Passes each token that comes to `mine` on to `next`, for ever. Its waits tell at
/// two places by turns, with an even number at one and an odd one at the other.
async fn pass(mine: Arc<Mutex<Seat>>, next: Arc<Mutex<Seat>>, started: Arc<AtomicU64>) {
    let (mut waits, mut first) = (0, true);
    poll_fn(|cx| {
        started.fetch_add(u64::from(std::mem::take(&mut first)), Ordering::Relaxed);
        while std::mem::take(&mut lock(&mine).token) {
            let mut seat = lock(&next);
            seat.token = true;
            let waker = seat.waker.take();
            drop(seat);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        let mut seat = lock(&mine);
        if seat.token {
            cx.waker().wake_by_ref();
            return Poll::<()>::Pending;
        }
        seat.waker = Some(cx.waker().clone());
        drop(seat);
        waits += 1;
        leaf::park_named(waits, place(waits));
        Poll::Pending
    })
    .await;
}

fn place(wait: u64) -> &'static Location<'static> {
    if wait.is_multiple_of(2) {
        Location::caller()
    } else {
        here()
    }
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

/// Rings of tasks, each with one token, after the first wait of each task.
fn rings(rt: &Runtime, n: usize, size: usize) -> Vec<Vec<AbortHandle>> {
    let started = Arc::<AtomicU64>::default();
    let seats: Vec<Vec<Arc<Mutex<Seat>>>> = (0..n)
        .map(|_| (0..size).map(|_| Arc::default()).collect())
        .collect();
    let mut rings: Vec<Vec<AbortHandle>> = (0..n).map(|_| Vec::new()).collect();
    // Neighbours in a ring are far from each other on the walker's way.
    for at in 0..size {
        for (ring, seats) in rings.iter_mut().zip(&seats) {
            lock(&seats[0]).token |= at == 0;
            let (mine, next) = (seats[at].clone(), seats[(at + 1) % size].clone());
            let task = rt.spawn(pass(mine, next, started.clone()));
            ring.push(task.abort_handle());
        }
    }
    while started.load(Ordering::Relaxed) < (n * size) as u64 {
        std::thread::yield_now();
    }
    rings
}

/// How many tasks of a ring do not wait.
fn moving(tasks: &HashMap<u64, &TaskInfo>, ring: &[AbortHandle]) -> usize {
    let waits = |handle: &&AbortHandle| {
        let task = tasks.get(&handle.id().get());
        task.expect("it is alive").status == Status::Waiting
    };
    ring.len() - ring.iter().filter(waits).count()
}

fn abort(rings: &[Vec<AbortHandle>]) {
    rings.iter().flatten().for_each(AbortHandle::abort);
}

/// I1: of a ring with one token somebody never waits; at one moment between polls,
/// exactly one.
fn rings_keep_their_token(rt: &Runtime, n: usize, size: usize) -> usize {
    let rings = rings(rt, n, size);
    let mut exact = 0;
    for_a_while(|| {
        let (tasks, shot) = look(rt.handle(), Hooks::On);
        let tasks = by_id(&tasks);
        for ring in &rings {
            let moving = moving(&tasks, ring);
            assert!(moving >= 1, "a token is lost: {shot}");
            if shot.mode == Mode::Exact {
                assert_eq!(moving, 1, "one token makes two tasks runnable: {shot}");
            }
        }
        exact += usize::from(shot.mode == Mode::Exact);
        exact >= 300
    });
    abort(&rings);
    exact
}

#[test]
fn pairs_keep_their_token() {
    let exact = rings_keep_their_token(&runtime(2), 300, 2);
    assert!(exact > 0, "no snapshot was exact");
}

#[test]
fn rings_of_many_keep_their_token() {
    rings_keep_their_token(&runtime(3), 40, 8);
    rings_keep_their_token(&runtime(2), 2, 1000);
}

/// As above beside a poll that gives no way: the cut is ragged, and names it.
#[test]
fn stragglers_are_named_and_break_no_cut() {
    let rt = runtime(3);
    let on = Arc::new(AtomicBool::new(true));
    let until = on.clone();
    let hog = rt.spawn(async move {
        while until.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    });
    let id = hog.id().get();
    loop {
        let (_, shot) = look(rt.handle(), Hooks::On);
        if shot.stragglers.iter().any(|straggler| straggler.id == id) {
            assert_eq!(shot.mode, Mode::Ragged);
            break;
        }
    }
    let named = Instant::now();
    rings_keep_their_token(&rt, 100, 2);
    let since = named.elapsed();
    let (tasks, shot) = look(rt.handle(), Hooks::On);
    on.store(false, Ordering::Relaxed);
    rt.block_on(hog).expect("no panic");
    assert_eq!(by_id(&tasks)[&id].status, Status::Running);
    let mut stragglers = shot.stragglers.iter();
    let hogs = stragglers.find(|straggler| straggler.id == id);
    let polled = hogs.expect("it went on").polled_for;
    assert!(polled >= since, "{polled:?}, and seen {since:?} before");
}

/// A task that has never waited is on no list, and still all is told of it: that it
/// computes or blocks, whose child it is, its name and its type.
#[test]
fn a_poll_that_goes_on_tells_all_of_a_task_that_never_waited() {
    watchdog::within(60, || {
        let rt = runtime(3);
        let (on, begun) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicU64>::default());
        let (until, begins, handle) = (on.clone(), begun.clone(), rt.handle().clone());
        let parent = rt.spawn(async move {
            let goes_on = move || {
                begins.fetch_add(1, Ordering::Release);
                while until.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            };
            let blocks = goes_on.clone();

            [
                handle.spawn_named("computes", async move { goes_on() }),
                handle.spawn_named("blocks", async move { block_in_place(blocks) }),
            ]
        });
        let id = parent.id().get();
        let children = rt.block_on(parent).expect("no panic");
        while begun.load(Ordering::Acquire) < 2 {
            std::thread::yield_now();
        }
        for _ in 0..20 {
            let (tasks, _) = look(rt.handle(), Hooks::On);
            let tasks = by_id(&tasks);
            let known = children.each_ref().map(|child| {
                let task = tasks[&child.id().get()];
                assert_eq!((task.parent, task.root), (id, false), "{task:?}");
                assert!(task.size > 0 && task.type_name.contains("tests::a_poll_that_goes_on"));
                (task.name.as_deref(), task.status)
            });
            let computes = (Some("computes"), Status::Running);
            assert_eq!(known, [computes, (Some("blocks"), Status::Syscall)]);
            let places = children
                .each_ref()
                .map(|child| tasks[&child.id().get()].location);
            let [None, Some(section)] = places else {
                panic!("{places:?}");
            };
            assert_eq!(section.file(), file!());
        }
        on.store(false, Ordering::Relaxed);
        for child in children {
            rt.block_on(child).expect("no panic");
        }
    });
}

/// Polls without a P end all the time, and their tasks with them, while snapshots look.
#[test]
fn a_task_that_ends_without_a_p_stays_for_whoever_looks() {
    watchdog::within(120, || {
        let rt = runtime(2);
        let on = Arc::new(AtomicBool::new(true));
        let parents: Vec<_> = (0..4)
            .map(|_| rt.spawn(bears(rt.handle().clone(), on.clone())))
            .collect();
        let ids: Vec<u64> = parents.iter().map(|task| task.id().get()).collect();
        let mut seen = 0;
        let mut see = || {
            let (tasks, _) = look(rt.handle(), Hooks::On);
            let polled = tasks
                .iter()
                .filter(|task| task.name.as_deref() == Some("short"));
            for task in polled.filter(|task| task.status != Status::Runnable) {
                assert!(ids.contains(&task.parent), "{task:?}");
                seen += 1;
            }
            seen
        };
        for_a_while(|| see() > 1000);
        // On a busy machine that may not have been enough to meet one.
        while see() == 0 {}
        on.store(false, Ordering::Relaxed);
        for parent in parents {
            rt.block_on(parent).expect("no panic");
        }
    });
}

/// One child after another, which holds its P up for less than a stop waits, or for
/// more.
async fn bears(handle: Handle, on: Arc<AtomicBool>) {
    let mut n = 0;
    while on.load(Ordering::Relaxed) {
        n = (n + 37) % 150;
        let time = Duration::from_micros(n);
        let child = handle.spawn_named("short", async move {
            let end = Instant::now() + time;
            while Instant::now() < end {
                std::hint::spin_loop();
            }
        });
        child.await.expect("no panic");
    }
}

/// What is measured beside snapshots is no worse a cut, and ends.
#[test]
fn a_walk_in_a_stopped_world_is_a_cut() {
    let rt = runtime(2);
    let rings = rings(&rt, 100, 2);
    for _ in 0..100 {
        let (tasks, shot) = look(rt.handle(), Hooks::Stopped);
        let tasks = by_id(&tasks);
        assert!(rings.iter().all(|ring| moving(&tasks, ring) >= 1), "{shot}");
    }
    rt.block_on(rt.spawn(async {})).expect("no panic");
    abort(&rings);
}

/// I4: without the epoch the same look sees rings whose token is nowhere.
#[test]
fn a_walk_without_the_epoch_is_no_cut() {
    let rt = runtime(2);
    let rings = rings(&rt, 2000, 2);
    let mut lost = 0;
    repeat(Duration::from_secs(30), || {
        let (tasks, _) = look(rt.handle(), Hooks::Off);
        let tasks: HashMap<u64, &TaskInfo> = tasks.iter().map(|task| (task.id, task)).collect();
        lost += rings
            .iter()
            .filter(|ring| moving(&tasks, ring) == 0)
            .count();
        lost > 0
    });
    abort(&rings);
    assert!(lost > 0, "the test does not see what it looks for");
}

/// What the record of a task of a ring says is of one wait.
fn assert_whole(task: &TaskInfo) {
    assert_eq!(task.reason, WaitReason::Foreign);
    // The first wait may be of a task that has never had its token.
    let at = task.location.expect("a leaf told it");
    assert_eq!(at.line(), place(task.target).line(), "{task:?}");
}

#[test]
fn no_record_is_torn() {
    let rt = runtime(2);
    let rings = rings(&rt, 500, 2);
    let mut seen = [0, 0];
    for_a_while(|| {
        let (tasks, _) = look(rt.handle(), Hooks::On);
        for task in tasks.iter().filter(|task| task.status == Status::Waiting) {
            assert_whole(task);
            seen[usize::from(task.target % 2 == 1)] += 1;
        }
        seen.iter().all(|&n| n > 2000)
    });
    abort(&rings);
    assert!(seen.iter().all(|&n| n > 0), "{seen:?}");
}

/// Rules R-PROFILE-1 to 4, L-18, T-86. I2 and I3: at one moment there are as many tasks as were counted, each once, and
/// of a chain of tasks in which each spawns the next and ends, one.
#[test]
fn t86_counts_are_exact_and_nobody_is_born_into_a_snapshot() {
    const CHAINS: usize = 20;
    const RESTING: usize = 3000;
    let rt = runtime(2);
    let on = Arc::new(AtomicBool::new(true));
    let links = Arc::new(AtomicU64::new(0));
    let resting: Vec<u64> = (0..RESTING)
        .map(|_| rt.spawn(std::future::pending::<()>()).id().get())
        .collect();
    let rings = rings(&rt, 50, 2);
    let handle = rt.handle().clone();
    (0..CHAINS).for_each(|_| link(handle.clone(), on.clone(), links.clone()));
    let name = std::any::type_name_of_val(&chain(handle, on.clone(), links.clone()));
    let mut exact = 0;
    for_a_while(|| {
        let before = links.load(Ordering::Relaxed);
        let (tasks, shot) = look(rt.handle(), Hooks::On);
        let chained = tasks.iter().filter(|task| task.type_name == name).count();
        // One that has never waited and goes on is known to its M alone.
        let unknown = tasks.iter().filter(|task| task.size == 0).count();
        let at_most = CHAINS + shot.stragglers.len();
        assert!(
            (CHAINS..=at_most).contains(&(chained + unknown)),
            "{shot}: {chained}"
        );
        let tasks = by_id(&tasks);
        assert!(resting.iter().all(|id| tasks.contains_key(id)));
        if shot.mode == Mode::Exact {
            assert_eq!(tasks.len() as u64, shot.alive, "{shot}");
            exact += usize::from(links.load(Ordering::Relaxed) > before);
        }
        exact >= 100
    });
    on.store(false, Ordering::Relaxed);
    abort(&rings);
    assert!(exact > 0, "no chain moved during an exact snapshot");
}

async fn chain(handle: Handle, on: Arc<AtomicBool>, links: Arc<AtomicU64>) {
    links.fetch_add(1, Ordering::Relaxed);
    if on.load(Ordering::Relaxed) {
        link(handle, on, links);
    }
}

fn link(handle: Handle, on: Arc<AtomicBool>, links: Arc<AtomicU64>) {
    drop(handle.clone().spawn(chain(handle, on, links)));
}

/// A snapshot that ends in a panic of whoever wanted it leaves no epoch behind.
#[test]
fn a_panic_closes_the_snapshot() {
    let rt = runtime(1);
    let task = rt.spawn(std::future::pending::<()>());
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        visit(rt.handle(), Polls::Named, |_| panic!("enough"));
    }));
    assert!(failed.is_err());
    let (tasks, shot) = look(rt.handle(), Hooks::On);
    assert_eq!((tasks.len(), shot.alive), (1, 1));
    task.abort();
}

/// Whoever counts tasks need not have room for them.
#[test]
fn a_visit_gives_a_few_tasks_at_a_time() {
    let rt = runtime(1);
    let resting: Vec<AbortHandle> = (0..5000)
        .map(|_| rt.spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    let waits = |task: &TaskInfo| task.status == Status::Waiting;
    while !look(rt.handle(), Hooks::On).0.iter().all(waits) {
        std::thread::yield_now();
    }
    let (mut seen, mut most, mut room) = (0, 0, 0);
    let shot = visit(rt.handle(), Polls::Named, |part| {
        seen += part.len();
        most = most.max(part.len());
        room = room.max(part.capacity());
    });
    assert_eq!((seen, shot.tasks), (5000, 5000));
    assert!(
        most <= super::STEP as usize && room < 1000,
        "{most} in {room}"
    );
    resting.iter().for_each(AbortHandle::abort);
}

/// From inside a task, which goes on without its P if there is much to see.
#[test]
fn a_task_sees_itself_and_many_others() {
    let rt = runtime(2);
    let resting: Vec<AbortHandle> = (0..3000)
        .map(|_| rt.spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    let handle = rt.handle().clone();
    let own = rt.spawn(async move {
        let (tasks, shot) = look(&handle, Hooks::On);
        let tasks = by_id(&tasks);
        let own = &tasks[&crate::try_id().expect("it is a task").get()];
        assert_eq!(own.status, Status::Running);
        assert!(own.type_name.contains("a_task_sees_itself"), "{own:?}");
        shot
    });
    let shot = rt.block_on(own).expect("no panic");
    assert_eq!(shot.alive, 3001);
    // Its P is with somebody else; what it spawns afterwards runs all the same.
    rt.block_on(rt.spawn(async {})).expect("no panic");
    resting.iter().for_each(AbortHandle::abort);
}

/// A panic handler may ask, whatever it has interrupted: also in a task that has waited
/// on a stack that was noted.
#[test]
fn a_task_looks_at_itself_without_a_lock() {
    watchdog::within(60, || {
        let rt = runtime(1);
        let own = rt.spawn(async {
            m::with_current(|m| {
                let header = m.and_then(|m| m.running());
                stacks::keep(header.expect("it runs"), 1);
            });
            let process = Process::here();
            let _held = (process.stacks.lock_all(), lock(&process.droppers));
            super::current().expect("it runs").status
        });
        let status = rt.block_on(own).expect("no panic");
        assert_eq!(status, Status::Running);
    });
}
