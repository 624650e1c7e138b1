//! Primitives: who goes first, who is passed over, and what a dropped future
//! leaves behind.

#[path = "support/dice.rs"]
mod dice;
#[path = "support/drops.rs"]
mod drops;
#[path = "support/eventually.rs"]
mod eventually;
#[path = "support/hand.rs"]
mod hand;
#[path = "sync/locks.rs"]
mod locks;
#[path = "sync/mapped.rs"]
mod mapped;
#[path = "sync/meetings.rs"]
mod meetings;
#[path = "sync/mpsc.rs"]
mod mpsc;
#[path = "support/on_1_and_4.rs"]
mod on_1_and_4;
#[path = "sync/permits.rs"]
mod permits;
#[path = "sync/random.rs"]
mod random;
#[path = "sync/set_once.rs"]
mod set_once;
#[path = "sync/values.rs"]
mod values;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::cell::Cell;
use std::sync::Arc;

use gmp::sync::{
    Barrier, Mutex, MutexGuard, Notify, OnceCell, OwnedMutexGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockReadGuard, Semaphore, SetOnce, WaitGroup, broadcast, oneshot, watch,
};

use eventually::eventually;
use hand::{Woken, poll_with};
use on_1_and_4::on_1_and_4;

static COUNT: Mutex<u32> = Mutex::const_new(0);
static TEXT: RwLock<String> = RwLock::const_new(String::new());
static TWO: Semaphore = Semaphore::const_new(2);
static TOLD: Notify = Notify::const_new();
static ONCE: OnceCell<u32> = OnceCell::const_new();
static SET: SetOnce<u32> = SetOnce::const_new();
static GROUP: WaitGroup = WaitGroup::new();

#[test]
fn primitives_live_in_statics() {
    on_1_and_4(|rt| {
        let before = rt.block_on(async { *COUNT.lock().await });
        rt.block_on(async {
            GROUP.add(1);
            let task = gmp::spawn(async {
                let _permit = TWO.acquire().await.expect("never closed");
                *COUNT.lock().await += 1;
                TEXT.write().await.push('x');
                TOLD.notify_one();
                GROUP.done();
            });
            TOLD.notified().await;
            GROUP.wait().await;
            task.await.expect("no panic");
        });
        assert_eq!(rt.block_on(async { *COUNT.lock().await }), before + 1);
        assert_eq!(
            rt.block_on(ONCE.get_or_init(|| async { 1 })).to_owned(),
            1_u32
        );
        assert!(rt.block_on(TEXT.read()).starts_with('x'));
    });
}

#[test]
fn ends_guards_and_futures_go_to_other_threads() {
    fn goes<T: Send>(_: &T) {}
    fn shared<T: Send + Sync>() {}
    shared::<Mutex<Cell<u32>>>();
    shared::<RwLock<u32>>();
    shared::<MutexGuard<'_, u32>>();
    shared::<OwnedMutexGuard<u32>>();
    shared::<RwLockReadGuard<'_, u32>>();
    shared::<OwnedRwLockWriteGuard<u32>>();
    shared::<OnceCell<u32>>();
    shared::<SetOnce<u32>>();
    shared::<(oneshot::Sender<Cell<u32>>, oneshot::Receiver<Cell<u32>>)>();
    shared::<(watch::Sender<u32>, watch::Receiver<u32>)>();
    shared::<(broadcast::Sender<u32>, broadcast::Receiver<u32>)>();
    shared::<(gmp::chan::Sender<Cell<u32>>, gmp::chan::Receiver<Cell<u32>>)>();
    goes(&COUNT.lock());
    goes(&Arc::new(Mutex::new(Cell::new(0))).lock_owned());
    goes(&TEXT.write());
    goes(&TWO.acquire());
    goes(&TOLD.notified());
    goes(&Barrier::new(1).wait());
    goes(&GROUP.wait());
    goes(&SET.wait());
    let (tx, mut rx) = watch::channel(0);
    goes(&tx.closed());
    goes(&rx.wait_for(|_| true));
    let (_tx, mut rx) = broadcast::channel::<u32>(1);
    goes(&rx.recv());
    let (tx, rx) = gmp::chan::bounded::<Cell<u32>>(1);
    goes(&rx.recv());
    goes(&tx.send(Cell::new(1)));
}

/// The one of two wakers that is woken when `change` ends the wait.
fn latest_is_woken<F: Future>(what: &str, future: F, change: impl FnOnce()) {
    let (former, latest) = (Woken::new(), Woken::new());
    let mut future = Box::pin(future);
    assert!(poll_with(&mut future, &former).is_pending(), "{what}");
    assert!(poll_with(&mut future, &latest).is_pending(), "{what}");
    assert_eq!(Arc::strong_count(&former), 1, "{what} keeps an old waker");
    change();
    assert_eq!((former.count(), latest.count()), (0, 1), "{what}");
    assert!(poll_with(&mut future, &latest).is_ready(), "{what}");
}

#[test]
fn the_latest_waker_of_a_waiter_is_the_one_that_is_woken() {
    let mutex = Mutex::new(());
    let held = mutex.try_lock().expect("free");
    latest_is_woken("Mutex", mutex.lock(), || drop(held));
    let lock = RwLock::new(());
    let held = lock.try_read().expect("free");
    latest_is_woken("RwLock", lock.write(), || drop(held));
    let semaphore = Semaphore::new(0);
    latest_is_woken("Semaphore", semaphore.acquire(), || {
        semaphore.add_permits(1)
    });
    let notify = Notify::new();
    latest_is_woken("Notify", notify.notified(), || notify.notify_one());
    let value = SetOnce::new();
    latest_is_woken("SetOnce", value.wait(), || value.set(1).expect("once"));
    let barrier = Barrier::new(2);
    latest_is_woken("Barrier", barrier.wait(), || {
        assert!(hand::poll(&mut Box::pin(barrier.wait())).is_ready());
    });
    let group = WaitGroup::new();
    group.add(1);
    latest_is_woken("WaitGroup", group.wait(), || group.done());
    let (tx, rx) = oneshot::channel();
    latest_is_woken("oneshot", rx, || tx.send(1).expect("open"));
    let (mut tx, rx) = oneshot::channel::<u32>();
    latest_is_woken("oneshot closed", tx.closed(), || drop(rx));
    let (tx, mut rx) = watch::channel(0);
    latest_is_woken("watch", rx.changed(), || tx.send_modify(|n| *n += 1));
    let (tx, mut rx) = broadcast::channel(1);
    latest_is_woken("broadcast", rx.recv(), || assert_eq!(tx.send(1), Ok(1)));
}

#[test]
fn a_task_shows_in_which_primitive_it_waits_and_where() {
    on_1_and_4(|rt| {
        let mutex = Arc::new(Mutex::new(()));
        let lock = Arc::new(RwLock::new(()));
        let held = (
            rt.block_on(mutex.clone().lock_owned()),
            rt.block_on(lock.clone().write_owned()),
        );
        let (watched, mut follower) = watch::channel(0);
        let (spoken, mut listener) = broadcast::channel::<u32>(1);
        let (promised, promise) = oneshot::channel::<u32>();
        let reader = lock.clone();
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let waiting = [
            (
                "sync.Mutex.Lock",
                rt.spawn(async move { drop(mutex.lock().await) }),
            ),
            (
                "sync.RWMutex.Lock",
                rt.spawn(async move { drop(lock.write().await) }),
            ),
            (
                "sync.RWMutex.RLock",
                rt.spawn(async move { drop(reader.read().await) }),
            ),
            (
                "semacquire",
                rt.spawn(async { drop(Semaphore::new(0).acquire().await) }),
            ),
            (
                "sync.Cond.Wait",
                rt.spawn(async { Notify::new().notified().await }),
            ),
            (
                "sync.Cond.Wait",
                rt.spawn(async {
                    let _ = Barrier::new(2).wait().await;
                }),
            ),
            (
                "sync.Cond.Wait",
                rt.spawn(async {
                    SetOnce::<u32>::new().wait().await;
                }),
            ),
            (
                "sync.WaitGroup.Wait",
                rt.spawn(async move { group.wait().await }),
            ),
            (
                "chan receive",
                rt.spawn(async move {
                    let _ = follower.changed().await;
                }),
            ),
            (
                "chan receive",
                rt.spawn(async move {
                    let _ = listener.recv().await;
                }),
            ),
            (
                "chan receive",
                rt.spawn(async move {
                    let _ = promise.await;
                }),
            ),
        ];
        for (reason, task) in &waiting {
            let block = || {
                rt.block_on(async { gmp::profiler::stack_all() })
                    .split("\n\n")
                    .find(|block| block.contains(&format!("goroutine {} [", task.id())))
                    .map(str::to_owned)
                    .unwrap_or_default()
            };
            eventually(reason, || block().contains(&format!("[{reason}]")));
            // Once for the wait, once for the spawn.
            let text = block();
            assert_eq!(text.matches(file!()).count(), 2, "{reason}: {text}");
        }
        for (_, task) in &waiting {
            task.abort();
        }
        drop((held, watched, spoken, promised));
    });
}
