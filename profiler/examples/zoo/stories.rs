//! Stories of polls in which stacks are noted: each ends as it does without. Another
//! thread takes snapshots all the time.

use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use gmp::runtime::{Builder, Handle, Runtime};
use gmp_profiler::Profile;

const LONG: Duration = Duration::from_secs(3600);

/// One whose panics of tasks are told by their handles alone.
pub(crate) fn runtime() -> Runtime {
    let quiet = Builder::new().procs(2).panic_handler(|_| ());
    quiet.build().expect("a runtime")
}

/// Takes snapshots on a thread of its own until it is dropped.
pub(crate) struct Snapshots {
    on: Arc<AtomicBool>,
    /// Tasks with a stack that were seen so far.
    pub(crate) stacks: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Snapshots {
    pub(crate) fn of(handle: &Handle) -> Snapshots {
        let (on, stacks) = (
            Arc::new(AtomicBool::new(true)),
            Arc::<AtomicUsize>::default(),
        );
        let thread = std::thread::spawn({
            let (on, stacks, handle) = (on.clone(), stacks.clone(), handle.clone());
            move || {
                while on.load(Ordering::Relaxed) {
                    let tasks = Profile::of(&handle);
                    let noted = tasks.iter().filter(|task| task.stack.is_some());
                    stacks.fetch_add(noted.count(), Ordering::Relaxed);
                    assert!(tasks.to_text(2).len() >= tasks.len());
                }
            }
        });
        Snapshots {
            on,
            stacks,
            thread: Some(thread),
        }
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        self.on.store(false, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is dropped once");
        if let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

/// A leaf that waits, and in waiting notes the stack. It is dropped before it is due.
async fn waits_once(cx: impl Fn(&mut Context<'_>)) {
    let mut sleep = pin!(gmp::time::sleep(LONG));
    std::future::poll_fn(|task| {
        assert!(sleep.as_mut().poll(task).is_pending());
        cx(task);
        Poll::Ready(())
    })
    .await;
}

/// The children of one task hand a lock to each other: each of them has a waker of
/// its own, and one that is polled or woken in the place of another is lost.
pub(crate) fn futures_unordered(rt: &Runtime, snapshots: &Snapshots, has: bool) -> usize {
    const CHILDREN: usize = 20;
    const ROUNDS: usize = 300;
    let lock = Arc::new(gmp::sync::Mutex::new(0_usize));
    let seen = snapshots.stacks.clone();
    // Not before the snapshots have seen some of the stacks.
    let enough = move || !has || seen.load(Ordering::Relaxed) >= 10;
    let child = async |lock: Arc<gmp::sync::Mutex<usize>>, enough: &(dyn Fn() -> bool + Sync)| {
        let mut round = 0;
        while round < ROUNDS || !enough() {
            let mut held = lock.lock().await;
            // The others get to wait for it.
            gmp::task::yield_now().await;
            *held += 1;
            round += 1;
        }
    };
    let count = lock.clone();
    let task = rt.spawn(async move {
        let children = (0..CHILDREN).map(|_| child(lock.clone(), &enough));
        let mut children: FuturesUnordered<_> = children.collect();
        let mut ended = 0;
        while let Some(()) = children.next().await {
            ended += 1;
        }
        ended
    });
    let ended = rt.block_on(task).expect("no panic");
    assert!(*count.try_lock().expect("nobody has it") >= CHILDREN * ROUNDS);
    ended
}

/// A task that is ready in the poll in which it has noted a stack.
pub(crate) fn completes(rt: &Runtime, _: &Snapshots, _: bool) -> i32 {
    let tasks: Vec<_> = (0..2_000)
        .map(|n| {
            rt.spawn(async move {
                waits_once(|_| ()).await;
                n
            })
        })
        .collect();
    let sum = async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("no panic");
        }
        sum
    };
    rt.block_on(sum)
}

/// A wake in the poll that has noted a stack, by the task and by another thread,
/// before the task waits: it is polled again, once for all of them.
pub(crate) fn wakes(rt: &Runtime, _: &Snapshots, _: bool) -> usize {
    let polls = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..500)
        .map(|n| {
            let polls = polls.clone();
            rt.spawn(async move {
                let mut sleep = pin!(gmp::time::sleep(LONG));
                let mut woken = false;
                std::future::poll_fn(|cx| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    if woken {
                        return Poll::Ready(());
                    }
                    woken = true;
                    assert!(sleep.as_mut().poll(cx).is_pending());
                    if n % 2 == 0 {
                        cx.waker().wake_by_ref();
                    } else {
                        let waker = cx.waker().clone();
                        let other = std::thread::spawn(move || waker.wake());
                        other.join().expect("no panic");
                    }
                    Poll::Pending
                })
                .await;
            })
        })
        .collect();
    rt.block_on(async {
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    polls.load(Ordering::Relaxed)
}

/// A panic behind the leaf, in the first poll and in one after a wait: the handle
/// has it.
pub(crate) fn panics(rt: &Runtime, _: &Snapshots, _: bool) -> Vec<i32> {
    let (wake, woken) = gmp::chan::bounded::<()>(1);
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let woken = woken.clone();
            rt.spawn(async move {
                if n % 2 == 0 {
                    woken.recv().await.expect("sent");
                }
                waits_once(|_| resume_unwind(Box::new(n))).await;
            })
        })
        .collect();
    rt.block_on(async {
        for _ in 0..25 {
            wake.send(()).await.expect("they listen");
        }
        let mut payloads = Vec::new();
        for task in tasks {
            let error = task.await.expect_err("it panics");
            assert!(error.is_panic());
            payloads.push(*error.into_panic().downcast::<i32>().expect("its number"));
        }
        payloads
    })
}
