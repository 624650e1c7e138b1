//! One task in each state: its name is the state, and the line on which it waits ends
//! with it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use gmp::chan;
use gmp::sync::{Mutex, Notify, RwLock, Semaphore, WaitGroup};
use gmp::task::{JoinHandle, block_in_place, spawn_blocking};
use gmp_profiler::{Profile, Status, TaskInfo};

const LONG: Duration = Duration::from_secs(3600);

#[track_caller]
fn named(name: &str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    gmp::task::Builder::new().name(name).spawn(task)
}

/// Tasks that wait, each for something else.
pub(crate) async fn waiting() -> std::io::Result<Vec<JoinHandle<()>>> {
    let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    let (full, rx) = chan::bounded(0);
    let (tx, empty) = chan::bounded::<String>(0);
    let mutex = Arc::new(Mutex::new(()));
    let lock = Arc::new(RwLock::new(()));
    let (kept, read) = (
        mutex.clone().lock_owned().await,
        lock.clone().write_owned().await,
    );
    let writes = lock.clone();
    let group = WaitGroup::new();
    group.add(1);
    let word = String::from("never taken");
    let inner = gmp::spawn(std::future::pending::<()>());
    let redis = gmp::waiting("redis", std::future::pending()); // here: waiting: redis
    drop(named("waiting (leaked)", std::future::pending())); // here: waiting (leaked)
    Ok(vec![
        named("sleep", async { gmp::time::sleep(LONG).await }), // here: sleep
        named("IO wait", async move { drop(listener.accept().await) }), // here: IO wait
        named("chan send", async move { drop(full.send(word).await) }), // here: chan send
        named("chan receive", async move { drop(empty.recv().await) }), // here: chan receive
        named("sync.Mutex.Lock", async move { drop(mutex.lock().await) }), // here: sync.Mutex.Lock
        named("sync.RWMutex.RLock", async move { drop(lock.read().await) }), // here: sync.RWMutex.RLock
        named("sync.RWMutex.Lock", async move {
            drop(writes.write().await); // here: sync.RWMutex.Lock
        }),
        named("semacquire", async {
            drop(Semaphore::new(0).acquire().await); // here: semacquire
        }),
        named("sync.WaitGroup.Wait", async move { group.wait().await }), // here: sync.WaitGroup.Wait
        named("sync.Cond.Wait", async { Notify::new().notified().await }), // here: sync.Cond.Wait
        named("join", async move { drop(inner.await) }),                 // here: join
        named("waiting: redis", redis),
        named("select", async move {
            // The other ends, without which nobody would wait.
            let _others = (rx, tx, kept, read);
            let mut tick = pin!(gmp::time::sleep(LONG).fuse());
            let mut never = pin!(futures::future::pending::<()>().fuse());
            gmp::select! { () = tick => (), () = never => () } // here: select
        }),
    ])
}

/// Tasks that do not wait, and one that waits for one of them.
pub(crate) fn busy(on: &Arc<AtomicBool>) -> [JoinHandle<()>; 3] {
    let still = on.clone();
    let blocks = |until: Arc<AtomicBool>| {
        move || {
            while until.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    };
    let (here, there) = (blocks(on.clone()), blocks(on.clone()));
    [
        named("syscall", async move { block_in_place(here) }), // here: syscall
        named("blocking", async move {
            drop(spawn_blocking(there).await); // here: blocking
        }),
        named("running", async move {
            // Without a check: one that checks is asked to stop for the snapshot.
            while still.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        }),
    ]
}

/// A snapshot in which at least `n` tasks have got where they wait. A task that
/// was just spawned is runnable: the Ps are busy.
pub(crate) async fn settled(n: usize) -> Profile {
    loop {
        gmp::time::sleep(Duration::from_millis(20)).await;
        drop(named("runnable", async {}));
        let tasks = gmp_profiler::tasks();
        let moving = |task: &&TaskInfo| task.status == Status::Runnable;
        if tasks.len() >= n && tasks.iter().filter(moving).count() <= 1 {
            return tasks;
        }
    }
}
