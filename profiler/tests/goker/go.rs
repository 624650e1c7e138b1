//! Mistakes with gmp's own channels and locks, which are those of Go: the waits
//! show with their reason, and a reader waits behind a writer that waits.

use std::sync::Arc;

use gmp::chan;
use gmp::sync::{Mutex, Notify, RwLock, WaitGroup};

use super::{Case, Story};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "cockroach#3710, cockroach#6181, cockroach#16167, kubernetes#62464",
        what: "a reader reads again while a writer waits between",
        tell: reads_again,
        left: 2,
        proven: 0,
    },
    Case {
        name: "kubernetes#58107",
        what: "a queue is awaited under a read lock; a writer and a reader wait behind",
        tell: condition_under_a_read_lock,
        left: 3,
        proven: 0,
    },
    Case {
        name: "moby#30408",
        what: "a condition that nobody signals",
        tell: no_signal,
        left: 1,
        proven: 0,
    },
    Case {
        name: "moby#25384",
        what: "a wait for all of a group after each of its members",
        tell: wait_inside_the_loop,
        left: 1,
        proven: 0,
    },
    Case {
        name: "cockroach#1462",
        what: "a stop waits for workers that send to a loop which has stopped",
        tell: stop_waits_for_senders,
        left: 2,
        proven: 0,
    },
    Case {
        name: "istio#17860",
        what: "a status that nobody drains, in a channel that its sender owns",
        tell: undrained_status,
        left: 1,
        proven: 0,
    },
    Case {
        name: "kubernetes#1321, kubernetes#6632, kubernetes#10182",
        what: "a send under a lock to a receiver that wants the lock",
        tell: send_under_the_lock,
        left: 2,
        proven: 0,
    },
    Case {
        name: "cockroach#18101",
        what: "a cancelled reader leaves its senders: they hear it",
        tell: cancelled_reader,
        left: 0,
        proven: 0,
    },
];

fn reads_again(mistake: bool) -> Story {
    Box::pin(async move {
        let store = Arc::new(RwLock::new(()));
        let shared = store.clone();
        let (read, is_read) = chan::bounded(1);
        drop(gmp::spawn(async move {
            let first = store.read().await;
            read.send(()).await.expect("open");
            // The writer takes its place in the queue.
            gmp::task::yield_now().await;
            if !mistake {
                drop(first);
            }
            let _second = store.read().await;
        }));
        drop(gmp::spawn(async move {
            is_read.recv().await.expect("sent");
            let _write = shared.write().await;
        }));
    })
}

fn condition_under_a_read_lock(mistake: bool) -> Story {
    Box::pin(async move {
        let workers = Arc::new(RwLock::new(()));
        let not_empty = Arc::new(Notify::new());
        let (held, is_held) = chan::bounded(1);
        let (writes, is_writing) = chan::bounded(1);
        let (lock, queue) = (workers.clone(), not_empty.clone());
        drop(gmp::spawn(async move {
            let guard = lock.read().await;
            held.send(()).await.expect("open");
            if !mistake {
                drop(guard);
            }
            queue.notified().await;
        }));
        let lock = workers.clone();
        drop(gmp::spawn(async move {
            is_held.recv().await.expect("sent");
            writes.send(()).await.expect("open");
            let _sync = lock.write().await;
        }));
        drop(gmp::spawn(async move {
            is_writing.recv().await.expect("sent");
            // Brings what the first one waits for.
            let _guard = workers.read().await;
            not_empty.notify_one();
        }));
    })
}

fn no_signal(mistake: bool) -> Story {
    Box::pin(async move {
        let active = Arc::new(Notify::new());
        let plugin = active.clone();
        drop(gmp::spawn(async move { plugin.notified().await }));
        if !mistake {
            active.notify_one();
        }
    })
}

fn wait_inside_the_loop(mistake: bool) -> Story {
    Box::pin(async move {
        const PLUGINS: isize = 2;
        drop(gmp::spawn(async move {
            let group = Arc::new(WaitGroup::new());
            group.add(PLUGINS);
            for _ in 0..PLUGINS {
                let member = group.clone();
                drop(gmp::spawn(async move { member.done() }));
                if mistake {
                    group.wait().await;
                }
            }
            group.wait().await;
        }));
    })
}

/// A transport: both ends of its channel, and who works on it.
struct Transport {
    tx: chan::Sender<u8>,
    rx: chan::Receiver<u8>,
    workers: WaitGroup,
}

fn transport() -> Arc<Transport> {
    let (tx, rx) = chan::bounded(0);
    Arc::new(Transport {
        tx,
        rx,
        workers: WaitGroup::new(),
    })
}

fn stop_waits_for_senders(mistake: bool) -> Story {
    Box::pin(async move {
        let events = transport();
        events.workers.add(1);
        let worker = events.clone();
        drop(gmp::spawn(async move {
            let _heard = worker.tx.send(0).await;
            worker.workers.done();
        }));
        drop(gmp::spawn(async move {
            if !mistake {
                events.rx.close();
            }
            events.workers.wait().await;
        }));
    })
}

fn undrained_status(mistake: bool) -> Story {
    Box::pin(async move {
        let agent = transport();
        let status = agent.clone();
        drop(gmp::spawn(async move {
            status.tx.send(1).await.expect("open");
            status.tx.send(2).await.expect("open");
        }));
        let expected = if mistake { 1 } else { 2 };
        for wanted in 1..=expected {
            assert_eq!(agent.rx.recv().await, Ok(wanted));
        }
    })
}

fn send_under_the_lock(mistake: bool) -> Story {
    Box::pin(async move {
        let statuses = Arc::new(Mutex::new(()));
        let shared = statuses.clone();
        let (tx, rx) = chan::bounded(0);
        let (locked, is_locked) = chan::bounded(1);
        drop(gmp::spawn(async move {
            let guard = statuses.lock().await;
            locked.send(()).await.expect("open");
            if !mistake {
                drop(guard);
            }
            tx.send(true).await.expect("open");
        }));
        drop(gmp::spawn(async move {
            is_locked.recv().await.expect("sent");
            drop(shared.lock().await);
            assert_eq!(rx.recv().await, Ok(true));
        }));
    })
}

fn cancelled_reader(mistake: bool) -> Story {
    Box::pin(async move {
        let (tx, rx) = chan::bounded(0);
        for at in 0..2 {
            let tx = tx.clone();
            drop(gmp::spawn(async move {
                let _heard = tx.send(at).await;
            }));
        }
        rx.recv().await.expect("sent");
        if !mistake {
            rx.recv().await.expect("sent");
        }
    })
}
