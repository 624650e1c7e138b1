//! A wait for a lock that one task began and another goes on with: nobody waits for the
//! lock but the second one.

use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use gmp::sync::{Mutex, RwLock};
use gmp_profiler::{Status, WaitReason, leak, tasks};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits until `id` waits for `reason`.
async fn until_it_waits(id: u64, reason: WaitReason) {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let all = tasks();
        let task = all.iter().find(|task| task.id == id).expect("it is there");
        if (task.status, task.reason) == (Status::Waiting, reason) {
            return;
        }
        assert!(Instant::now() < patience, "{task:?}");
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The first task holds the lock and joins the second. That one has begun `work`, which
/// waits for the lock, has left the rest to a third, and waits for a thread.
#[expect(
    clippy::async_yields_async,
    reason = "the first task joins the second, and what that one has left after it"
)]
async fn is_no_circle<G: Send + 'static>(
    hold: impl Future<Output = G> + Send + 'static,
    mut work: Work,
    reason: WaitReason,
) {
    let (tx, rx) = oneshot::channel::<()>();
    let (give, take) = oneshot::channel();
    let (held, holds) = oneshot::channel();
    let first = gmp::spawn(async move {
        let guard = hold.await;
        held.send(()).expect("it listens");
        let second: gmp::task::JoinHandle<_> = take.await.expect("sent");
        let rest: gmp::task::JoinHandle<()> = second.await.expect("no panic");
        drop(guard);
        rest.await.expect("no panic");
    });
    holds.await.expect("sent");
    let (told, rest) = oneshot::channel();
    let second = gmp::spawn(async move {
        assert!(futures::poll!(work.as_mut()).is_pending());
        let rest = gmp::spawn(work);
        told.send(rest.id().get()).expect("it listens");
        rx.await.expect("sent");
        rest
    });
    let id = second.id().get();
    assert!(give.send(second).is_ok());
    let rest = rest.await.expect("sent");
    until_it_waits(rest, reason).await;
    until_it_waits(id, reason).await;
    until_it_waits(first.id().get(), WaitReason::Join).await;
    let circles = leak::cycles();
    assert!(circles.is_empty(), "{circles:?}");
    tx.send(()).expect("it listens");
    first.await.expect("no panic");
}

#[gmp::test(procs = 2)]
async fn a_mutex_that_another_task_waits_for_is_no_circle() {
    let lock: &'static Mutex<()> = Box::leak(Box::new(Mutex::new(())));
    let work = Box::pin(async { drop(lock.lock().await) });
    is_no_circle(lock.lock(), work, WaitReason::MutexLock).await;
}

#[gmp::test(procs = 2)]
async fn a_lock_that_another_writer_waits_for_is_no_circle() {
    let lock: &'static RwLock<()> = Box::leak(Box::new(RwLock::new(())));
    let work = Box::pin(async { drop(lock.write().await) });
    is_no_circle(lock.write(), work, WaitReason::RwMutexLock).await;
}
