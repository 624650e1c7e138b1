//! Mistakes with locks, alone and together with channels. A lock here is an
//! asynchronous one, and a guard unlocks when it is dropped.

use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use futures::lock::Mutex;
use futures::{FutureExt, SinkExt, StreamExt};

use super::{Case, Story};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "cockroach#10214, moby#4951",
        what: "two locks are taken in opposite orders",
        tell: opposite_orders,
        left: 2,
        proven: 0,
    },
    Case {
        name: "grpc#795, cockroach#9935, etcd#10492, hugo#5379, moby#36114, syncthing#4829",
        what: "a lock is taken again by its owner; another task waits behind",
        tell: taken_twice,
        left: 2,
        proven: 0,
    },
    Case {
        name: "etcd#6873",
        what: "a stop waits, with the lock, for a worker that wants the lock",
        tell: stop_under_the_lock,
        left: 2,
        proven: 0,
    },
    Case {
        name: "moby#28462",
        what: "a send under a lock to a receiver that wants the lock first",
        tell: send_under_the_lock,
        left: 2,
        proven: 0,
    },
    Case {
        name: "etcd#7492",
        what: "as before, through a buffer that is full the second time",
        tell: full_buffer_under_the_lock,
        left: 2,
        proven: 0,
    },
    Case {
        name: "istio#16224",
        what: "a handler sends under a lock which the receiver takes before it receives",
        tell: handler_sends_under_the_lock,
        left: 2,
        proven: 0,
    },
    Case {
        name: "cockroach#1055",
        what: "a drain is awaited under the lock that the drained need to end",
        tell: drain_under_the_lock,
        left: 2,
        proven: 0,
    },
    Case {
        name: "cockroach#584, etcd#5509, moby#7559, moby#17176",
        what: "a return without the unlock: a guard unlocks",
        tell: return_without_unlock,
        left: 0,
        proven: 0,
    },
];

type Lock = Arc<Mutex<()>>;

fn opposite_orders(mistake: bool) -> Story {
    Box::pin(async move {
        let (store, raft): (Lock, Lock) = Default::default();
        let (first, second) = (store.clone(), raft.clone());
        let (has_store, store_taken) = oneshot::channel();
        drop(gmp::spawn(async move {
            let _store = first.lock().await;
            // Nobody listens to the repaired version.
            let _told = has_store.send(());
            gmp::task::yield_now().await;
            let _raft = second.lock().await;
        }));
        drop(gmp::spawn(async move {
            if mistake {
                let _raft = raft.lock().await;
                store_taken.await.expect("taken");
                let _store = store.lock().await;
            } else {
                let _store = store.lock().await;
                let _raft = raft.lock().await;
            }
        }));
    })
}

fn taken_twice(mistake: bool) -> Story {
    Box::pin(async move {
        let server = Lock::default();
        let (again, behind) = (server.clone(), server);
        let (locked, was_locked) = oneshot::channel();
        drop(gmp::spawn(async move {
            let guard = again.lock().await;
            locked.send(()).expect("awaited");
            gmp::task::yield_now().await;
            if !mistake {
                drop(guard);
            }
            let _second = again.lock().await;
        }));
        drop(gmp::spawn(async move {
            was_locked.await.expect("locked");
            let _served = behind.lock().await;
        }));
    })
}

fn stop_under_the_lock(mistake: bool) -> Story {
    Box::pin(async move {
        let lock = Lock::default();
        let (mut updates, mut inbox) = mpsc::channel::<()>(1);
        let (done, is_done) = oneshot::channel::<()>();
        let (stopping, is_stopping) = oneshot::channel();
        let shared = lock.clone();
        drop(gmp::spawn(async move {
            let _done = done;
            let _update = inbox.next().await;
            is_stopping.await.expect("told");
            let _coalesced = shared.lock().await;
        }));
        updates.send(()).await.expect("room");
        drop(gmp::spawn(async move {
            let guard = lock.lock().await;
            drop(updates);
            stopping.send(()).expect("awaited");
            if !mistake {
                drop(guard);
            }
            let _closed = is_done.await;
        }));
    })
}

fn send_under_the_lock(mistake: bool) -> Story {
    Box::pin(async move {
        let container = Lock::default();
        let (mut stop, mut stopped) = mpsc::channel::<()>(0);
        let shared = container.clone();
        let (locked, was_locked) = oneshot::channel();
        drop(gmp::spawn(async move {
            was_locked.await.expect("locked");
            let probe = shared.lock().await;
            drop(probe);
            let _told = stopped.next().await;
        }));
        drop(gmp::spawn(async move {
            let guard = container.lock().await;
            locked.send(()).expect("awaited");
            if !mistake {
                drop(guard);
            }
            // Comes back when the other side has taken it.
            stop.send(()).await.expect("received");
        }));
    })
}

fn full_buffer_under_the_lock(mistake: bool) -> Story {
    Box::pin(async move {
        let tokens = Lock::default();
        let shared = tokens.clone();
        let (mut add, mut added) = mpsc::channel::<()>(0);
        let (first, is_first) = oneshot::channel();
        drop(gmp::spawn(async move {
            let _first = added.next().await;
            is_first.await.expect("locked again");
            // The deleter of expired tokens.
            drop(shared.lock().await);
            while added.next().await.is_some() {}
        }));
        drop(gmp::spawn(async move {
            let guard = tokens.lock().await;
            add.send(()).await.expect("received");
            drop(guard);
            let guard = tokens.lock().await;
            first.send(()).expect("awaited");
            if !mistake {
                drop(guard);
            }
            add.send(()).await.expect("received");
        }));
    })
}

fn handler_sends_under_the_lock(mistake: bool) -> Story {
    Box::pin(async move {
        let lock = Lock::default();
        let shared = lock.clone();
        let (mut done, mut is_done) = mpsc::channel::<()>(0);
        let (handling, is_handling) = oneshot::channel();
        drop(gmp::spawn(async move {
            let guard = shared.lock().await;
            handling.send(()).expect("awaited");
            if !mistake {
                drop(guard);
            }
            done.send(()).await.expect("received");
        }));
        drop(gmp::spawn(async move {
            is_handling.await.expect("handled");
            drop(lock.lock().await);
            let _done = is_done.next().await;
        }));
    })
}

fn drain_under_the_lock(mistake: bool) -> Story {
    Box::pin(async move {
        let lock = Lock::default();
        let shared = lock.clone();
        let (running, mut drained) = mpsc::channel::<()>(0);
        let (locked, was_locked) = oneshot::channel();
        drop(gmp::spawn(async move {
            let _running = running;
            was_locked.await.expect("locked");
            // The end of its work needs the lock.
            drop(shared.lock().await);
        }));
        drop(gmp::spawn(async move {
            let guard = lock.lock().await;
            locked.send(()).expect("awaited");
            if !mistake {
                drop(guard);
            }
            let _all_gone = drained.next().await;
        }));
    })
}

fn return_without_unlock(_mistake: bool) -> Story {
    Box::pin(async move {
        let gossip = Lock::default();
        let closed = gossip.clone();
        drop(gmp::spawn(async move {
            let _guard = closed.lock().await;
        }));
        drop(gmp::spawn(gossip_again(gossip).map(drop)));
    })
}

async fn gossip_again(gossip: Lock) {
    let _guard = gossip.lock().await;
}
