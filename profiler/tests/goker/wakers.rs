//! Mistakes that only futures know: wakers that are lost, kept or forgotten.
//! Where the last waker is gone, the leak is proven.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures::channel::oneshot;
use futures::future::poll_fn;
use futures::stream::FuturesUnordered;
use futures::task::AtomicWaker;
use futures::{FutureExt, StreamExt};

use super::{Case, Story};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "no registration",
        what: "a future returns Pending and keeps no waker",
        tell: no_registration,
        left: 1,
        proven: 1,
    },
    Case {
        name: "one place for two",
        what: "two tasks wait at a place that keeps one waker",
        tell: one_place_for_two,
        left: 2,
        proven: 1,
    },
    Case {
        name: "dropped source",
        what: "whatever would have woken the task is dropped without a word",
        tell: dropped_source,
        left: 1,
        proven: 1,
    },
    Case {
        name: "waits for a stuck task",
        what: "a task awaits the handle of one that nobody can wake",
        tell: joins_a_stuck_task,
        left: 2,
        proven: 0,
    },
    Case {
        name: "never-ending future",
        what: "`pending()` in a detached task",
        tell: never_ending,
        left: 1,
        proven: 1,
    },
    Case {
        name: "forgotten sender",
        what: "a sender is leaked: its channel keeps a waker for ever",
        tell: forgotten_sender,
        left: 1,
        proven: 0,
    },
    Case {
        name: "kept by itself",
        what: "a set of futures that keeps the waker of its own task",
        tell: kept_by_itself,
        left: 1,
        proven: 0,
    },
];

fn no_registration(mistake: bool) -> Story {
    Box::pin(async move {
        let ready = Arc::new(AtomicBool::new(false));
        let seen = ready.clone();
        drop(gmp::spawn(poll_fn(move |cx| {
            if seen.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            if !mistake {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })));
        gmp::task::yield_now().await;
        ready.store(true, Ordering::Relaxed);
    })
}

fn one_place_for_two(mistake: bool) -> Story {
    Box::pin(async move {
        let place = Arc::new(AtomicWaker::new());
        let done = Arc::new(AtomicBool::new(false));
        let tasks = if mistake { 2 } else { 1 };
        for _ in 0..tasks {
            let (place, done) = (place.clone(), done.clone());
            drop(gmp::spawn(poll_fn(move |cx| {
                place.register(cx.waker());
                match done.load(Ordering::Acquire) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })));
        }
        if !mistake {
            gmp::task::yield_now().await;
            done.store(true, Ordering::Release);
            place.wake();
        }
        // With the mistake nobody wakes them, and the second one's waker stays
        // in a place that the two tasks keep.
    })
}

fn dropped_source(mistake: bool) -> Story {
    Box::pin(async move {
        let source = Arc::new(AtomicWaker::new());
        let (weak, done) = (Arc::downgrade(&source), Arc::new(AtomicBool::new(false)));
        let seen = done.clone();
        let (waits, is_waiting) = oneshot::channel();
        let mut waits = Some(waits);
        drop(gmp::spawn(poll_fn(move |cx| {
            if seen.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            if let Some(source) = weak.upgrade() {
                source.register(cx.waker());
            }
            if let Some(waits) = waits.take() {
                waits.send(()).expect("awaited");
            }
            Poll::Pending
        })));
        is_waiting.await.expect("told");
        if !mistake {
            done.store(true, Ordering::Release);
            source.wake();
        }
        drop(source);
    })
}

fn joins_a_stuck_task(mistake: bool) -> Story {
    Box::pin(async move {
        let inner = match mistake {
            true => gmp::spawn(std::future::pending()),
            false => gmp::spawn(async {}),
        };
        drop(gmp::spawn(async move { inner.await.expect("no panic") }));
    })
}

fn never_ending(mistake: bool) -> Story {
    Box::pin(async move {
        let story = match mistake {
            true => std::future::pending().left_future(),
            false => std::future::ready(()).right_future(),
        };
        drop(gmp::spawn(story));
    })
}

fn forgotten_sender(mistake: bool) -> Story {
    Box::pin(async move {
        let (tx, rx) = oneshot::channel::<()>();
        drop(gmp::spawn(async move {
            let _sent = rx.await;
        }));
        if mistake {
            let _forgotten = ManuallyDrop::new(tx);
        }
    })
}

fn kept_by_itself(mistake: bool) -> Story {
    Box::pin(async move {
        drop(gmp::spawn(async move {
            let mut set = FuturesUnordered::new();
            if mistake {
                set.push(std::future::pending::<()>().left_future());
            } else {
                set.push(std::future::ready(()).right_future());
            }
            while set.next().await.is_some() {}
        }));
    })
}
