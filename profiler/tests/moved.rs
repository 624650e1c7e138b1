//! A wait for a lock that one task began and another goes on with, or drops: the first
//! does not wait for the lock any more. And a lock that one task took and another has.

use std::pin::Pin;
use std::sync::LazyLock;
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
/// waits for the lock, has left the rest to a third, which waits for the lock, too, and
/// waits for a thread itself.
#[expect(
    clippy::async_yields_async,
    reason = "the first task joins the second, and what that one has left after it"
)]
async fn is_no_circle<G: Send + 'static>(
    hold: impl Future<Output = G> + Send + 'static,
    mut work: Work,
    third: impl FnOnce(Work) -> Work + Send + 'static,
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
        let rest = gmp::spawn(third(work));
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
    is_no_circle(lock.lock(), work, |work| work, WaitReason::MutexLock).await;
    let work = Box::pin(async { drop(lock.lock().await) });
    let third = |work| -> Work {
        Box::pin(async {
            drop(work);
            drop(lock.lock().await);
        })
    };
    is_no_circle(lock.lock(), work, third, WaitReason::MutexLock).await;
}

#[gmp::test(procs = 2)]
async fn a_lock_that_another_writer_waits_for_is_no_circle() {
    let lock: &'static RwLock<()> = Box::leak(Box::new(RwLock::new(())));
    let work = Box::pin(async { drop(lock.write().await) });
    is_no_circle(lock.write(), work, |work| work, WaitReason::RwMutexLock).await;
    let work = Box::pin(async { drop(lock.write().await) });
    let third = |work| -> Work {
        Box::pin(async {
            drop(work);
            drop(lock.write().await);
        })
    };
    is_no_circle(lock.write(), work, third, WaitReason::RwMutexLock).await;
}

/// A task runs `take`, which leaves the lock to another task until a word comes, and
/// joins one that waits for the lock: a circle to all that is known, and none in truth.
async fn is_a_suspicion<T: Future<Output = ()> + Send + 'static>(
    take: impl FnOnce(oneshot::Receiver<()>) -> T,
    wait: impl Future<Output = ()> + Send + 'static,
    reason: WaitReason,
) {
    let ((told, waits), (free, freed)) = (oneshot::channel(), oneshot::channel());
    let take = take(freed);
    let first = gmp::spawn(async move {
        take.await;
        let second = gmp::spawn(wait);
        told.send(second.id().get()).expect("it listens");
        second.await.expect("no panic");
    });
    until_it_waits(waits.await.expect("sent"), reason).await;
    until_it_waits(first.id().get(), WaitReason::Join).await;
    let circles = leak::cycles();
    assert!(circles.is_empty(), "{circles:?}");
    let circles = leak::suspected_cycles();
    let is_told = circles.len() == 1 && circles[0].contains(first.id().get());
    assert!(is_told && !circles[0].is_proven(), "{circles:?}");
    let text = circles[0].to_string();
    assert!(text.contains(", taken by goroutine "), "{text}");
    free.send(()).expect("it listens");
    first.await.expect("no panic");
}

/// Begins `work` and leaves it to another task.
async fn leaves(mut work: Work) {
    assert!(futures::poll!(work.as_mut()).is_pending());
    drop(gmp::spawn(work));
}

/// The guard goes with the box.
#[gmp::test(procs = 2)]
async fn a_guard_in_a_box_is_no_proof() {
    let lock: &'static Mutex<()> = Box::leak(Box::new(Mutex::new(())));
    let take = |freed: oneshot::Receiver<()>| {
        leaves(Box::pin(async {
            let _guard = lock.lock().await;
            freed.await.unwrap_or_default();
        }))
    };
    let wait = async { drop(lock.lock().await) };
    is_a_suspicion(take, wait, WaitReason::MutexLock).await;

    let lock: &'static RwLock<()> = Box::leak(Box::new(RwLock::new(())));
    let take = |freed: oneshot::Receiver<()>| {
        leaves(Box::pin(async {
            let _guard = lock.write().await;
            freed.await.unwrap_or_default();
        }))
    };
    let wait = async { drop(lock.read().await) };
    is_a_suspicion(take, wait, WaitReason::RwMutexRLock).await;
}

/// A guard that borrows for ever goes anywhere by itself.
#[gmp::test(procs = 2)]
async fn a_guard_of_a_static_is_no_proof() {
    static LOCK: Mutex<()> = Mutex::new(());
    static RW: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);
    let take = |freed: oneshot::Receiver<()>| async {
        let guard = LOCK.lock().await;
        drop(gmp::spawn(async {
            freed.await.unwrap_or_default();
            drop(guard);
        }));
    };
    let wait = async { drop(LOCK.lock().await) };
    is_a_suspicion(take, wait, WaitReason::MutexLock).await;

    let take = |freed: oneshot::Receiver<()>| async {
        let guard = RW.write().await;
        drop(gmp::spawn(async {
            freed.await.unwrap_or_default();
            drop(guard);
        }));
    };
    let wait = async { drop(RW.write().await) };
    is_a_suspicion(take, wait, WaitReason::RwMutexLock).await;
}
