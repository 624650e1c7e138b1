//! A mixed load in which every task ends when it is told to, and looks at it that
//! must prove nothing: no leak, no circle.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use gmp::chan;
use gmp::net::UnixStream;
use gmp::profiler::{labels, leak};
use gmp::sync::{Mutex, Notify, RwLock, Semaphore};
use gmp::task::{AbortHandle, JoinHandle, block_in_place, yield_now};
use gmp::time::{sleep, timeout};

const LOCKS: usize = 6;

struct Load {
    on: AtomicBool,
    rounds: AtomicU64,
    locks: [Mutex<u64>; LOCKS],
    table: RwLock<u64>,
    permits: Semaphore,
    bell: Notify,
}

impl Load {
    /// Whether there is another round.
    fn goes_on(&self) -> bool {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.on.load(Ordering::Relaxed)
    }
}

/// Runs the load for that long. Fails if a look proves what is not so, or a task
/// is left at the end.
pub(crate) async fn soak(time: Duration) -> io::Result<()> {
    let load = Arc::new(Load {
        on: AtomicBool::new(true),
        rounds: AtomicU64::new(0),
        locks: [const { Mutex::new(0) }; LOCKS],
        table: RwLock::new(0),
        permits: Semaphore::new(3),
        bell: Notify::new(),
    });
    let check = leak::guard(leak::Options::new().retry_for(Duration::from_secs(30)));
    let tasks = start(&load)?;
    let (looks, mut wrong) = (Instant::now(), Vec::new());
    let mut count = 0_u64;
    while looks.elapsed() < time && wrong.is_empty() {
        sleep(Duration::from_millis(3)).await;
        let proven = leak::proven();
        if !proven.is_empty() {
            wrong.push(proven.to_text(2));
        }
        wrong.extend(leak::cycles().iter().map(ToString::to_string));
        count += 1;
    }
    load.on.store(false, Ordering::Relaxed);
    for task in tasks {
        task.await.map_err(io::Error::other)?;
    }
    check.verify();
    let rounds = load.rounds.load(Ordering::Relaxed);
    let proofs = wrong.len();
    println!("soak: {rounds} rounds, {count} looks, {proofs} false proofs");
    match wrong.pop() {
        None => Ok(()),
        Some(text) => Err(io::Error::other(text)),
    }
}

fn start(load: &Arc<Load>) -> io::Result<Vec<JoinHandle<()>>> {
    let mut tasks = Vec::new();
    for n in 0..4 {
        tasks.push(gmp::spawn(locks(load.clone(), n)));
        tasks.push(gmp::spawn(labels::scope(
            [("kind", "readers")],
            readers(load.clone(), n),
        )));
        tasks.push(gmp::spawn(joins(load.clone())));
        tasks.push(gmp::spawn(aborts(load.clone())));
        let (tx, rx) = chan::bounded(n);
        tasks.push(gmp::spawn(sends(load.clone(), tx)));
        tasks.push(gmp::spawn(receives(load.clone(), rx)));
        let (near, far) = UnixStream::pair()?;
        tasks.push(gmp::spawn(asks(load.clone(), near)));
        tasks.push(gmp::spawn(answers(far)));
    }
    tasks.push(gmp::spawn(bells(load.clone())));
    tasks.push(gmp::spawn(blocks(load.clone())));
    Ok(tasks)
}

/// Two locks at a time, in order, and one of them with a time-out.
async fn locks(load: Arc<Load>, n: usize) {
    let mut at = n;
    while load.goes_on() {
        at = (at * 5 + 1) % LOCKS;
        let (low, high) = (at.min(n), at.max(n));
        let mut first = load.locks[low].lock().await;
        if low != high {
            yield_now().await;
            if let Ok(mut second) = timeout(Duration::from_millis(2), load.locks[high].lock()).await
            {
                *second += 1;
            }
            let mut second = load.locks[high].lock().await;
            *second += 1;
        }
        *first += 1;
    }
}

async fn readers(load: Arc<Load>, n: usize) {
    while load.goes_on() {
        let _permit = load.permits.acquire().await.expect("never closed");
        if n == 0 {
            *load.table.write().await += 1;
        } else {
            let _seen = load.table.read().await;
            sleep(Duration::from_micros(50)).await;
        }
        yield_now().await;
    }
}

async fn joins(load: Arc<Load>) {
    while load.goes_on() {
        let inner = gmp::spawn(async {
            gmp::spawn(sleep(Duration::from_micros(100)))
                .await
                .expect("no panic");
        });
        inner.await.expect("no panic");
    }
}

/// Tasks that only an abort ends, with somebody who does it.
async fn aborts(load: Arc<Load>) {
    let mut kept: Vec<AbortHandle> = Vec::new();
    while load.goes_on() {
        kept.push(gmp::spawn(std::future::pending::<()>()).abort_handle());
        if kept.len() > 8 {
            kept.drain(..).for_each(|task| task.abort());
        }
        sleep(Duration::from_micros(200)).await;
    }
    kept.drain(..).for_each(|task| task.abort());
}

async fn sends(load: Arc<Load>, tx: chan::Sender<u64>) {
    let mut n = 0;
    while load.goes_on() {
        n += 1;
        if tx.send(n).await.is_err() {
            return;
        }
    }
}

async fn receives(load: Arc<Load>, rx: chan::Receiver<u64>) {
    while let Ok(n) = rx.recv().await {
        if n % 64 == 0 {
            load.bell.notify_waiters();
        }
    }
}

async fn asks(load: Arc<Load>, mut stream: UnixStream) {
    let mut answer = [0; 16];
    while load.goes_on() {
        stream.write_all(&[7; 16]).await.expect("open");
        stream.read_exact(&mut answer).await.expect("answered");
    }
}

async fn answers(mut stream: UnixStream) {
    let mut question = [0; 16];
    while stream.read_exact(&mut question).await.is_ok() {
        stream.write_all(&question).await.expect("open");
    }
}

async fn bells(load: Arc<Load>) {
    while load.goes_on() {
        let _rung = timeout(Duration::from_millis(5), load.bell.notified()).await;
    }
}

async fn blocks(load: Arc<Load>) {
    while load.goes_on() {
        block_in_place(|| std::thread::sleep(Duration::from_millis(1)));
        let value = gmp::task::spawn_blocking(|| 7).await;
        assert_eq!(value.expect("no panic"), 7);
    }
}
