//! Mistakes with channels of which a stuck task, or what it shares, keeps the
//! other end: these leak in Rust as they do in Go.

use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use futures::lock::Mutex;
use futures::{FutureExt, SinkExt, StreamExt};

use super::{Case, Story};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "cockroach#24808",
        what: "a send to a full channel before its receiver is started",
        tell: send_before_the_receiver,
        left: 1,
        proven: 0,
    },
    Case {
        name: "cockroach#25456",
        what: "a wait for a stop that only the waiting task could give",
        tell: own_stopper,
        left: 1,
        proven: 0,
    },
    Case {
        name: "cockroach#35073",
        what: "rows for a consumer that has closed, in a buffer that is full",
        tell: closed_consumer,
        left: 2,
        proven: 0,
    },
    Case {
        name: "cockroach#35931",
        what: "a second push to a channel of capacity one that nobody reads",
        tell: second_push,
        left: 1,
        proven: 0,
    },
    Case {
        name: "cockroach#2448",
        what: "two loops send to each other and neither receives",
        tell: both_send,
        left: 2,
        proven: 0,
    },
    Case {
        name: "grpc#1275",
        what: "a read from a stream whose close sends nothing",
        tell: close_that_sends_nothing,
        left: 1,
        proven: 0,
    },
    Case {
        name: "kubernetes#38669",
        what: "first events for a result channel without a buffer or a reader",
        tell: events_without_a_reader,
        left: 1,
        proven: 0,
    },
    Case {
        name: "syncthing#5795",
        what: "a loop closes its own connection, which waits for the loop",
        tell: close_inside_the_loop,
        left: 2,
        proven: 0,
    },
    Case {
        name: "common: no workers",
        what: "items for a pool of no workers",
        tell: no_workers,
        left: 1,
        proven: 0,
    },
    Case {
        name: "common: n-cast of nothing",
        what: "the first answer of no senders, with the first sender kept",
        tell: answer_of_nobody,
        left: 1,
        proven: 0,
    },
];

/// Both ends of a channel in one shared thing, as a Go channel is.
struct Both<T> {
    tx: mpsc::Sender<T>,
    rx: Mutex<mpsc::Receiver<T>>,
}

fn both<T>(buffer: usize) -> Arc<Both<T>> {
    let (tx, rx) = mpsc::channel(buffer);
    Arc::new(Both {
        tx,
        rx: Mutex::new(rx),
    })
}

fn send_before_the_receiver(mistake: bool) -> Story {
    Box::pin(async move {
        let (mut tx, mut rx) = mpsc::channel::<()>(0);
        drop(gmp::spawn(async move {
            let receive = async move { while rx.next().await.is_some() {} };
            if mistake {
                tx.send(()).await.expect("received");
                drop(gmp::spawn(receive));
            } else {
                drop(gmp::spawn(receive));
                tx.send(()).await.expect("received");
            }
        }));
    })
}

fn own_stopper(mistake: bool) -> Story {
    Box::pin(async move {
        let (stop, stopped) = oneshot::channel::<()>();
        drop(gmp::spawn(async move {
            let kept = if mistake {
                Some(stop)
            } else {
                drop(stop);
                None
            };
            let _quiesced = stopped.await;
            drop(kept);
        }));
    })
}

fn closed_consumer(mistake: bool) -> Story {
    Box::pin(async move {
        let rows = both::<u32>(15);
        let (full, is_full) = oneshot::channel();
        let pusher = rows.clone();
        let first = gmp::spawn(async move {
            let mut tx = pusher.tx.clone();
            // The buffer's room, and the place that each sender has for itself.
            for row in 0..16 {
                tx.feed(row).await.expect("open");
            }
            full.send(()).expect("awaited");
            if mistake {
                let _kept = tx.send(16).await;
            }
        });
        drop(first);
        drop(gmp::spawn(async move {
            is_full.await.expect("full");
            let mut tx = rows.tx.clone();
            if !mistake {
                rows.rx.lock().await.close();
            }
            let _sent = tx.send(17).await;
        }));
    })
}

fn second_push(mistake: bool) -> Story {
    Box::pin(async move {
        let receiver = both::<()>(0);
        drop(gmp::spawn(async move {
            let mut tx = receiver.tx.clone();
            tx.feed(()).await.expect("room");
            if mistake {
                tx.feed(()).await.expect("room");
            }
        }));
    })
}

fn both_send(mistake: bool) -> Story {
    Box::pin(async move {
        let (mut events, mut happened) = mpsc::channel::<()>(0);
        let (mut callbacks, mut called) = mpsc::channel::<()>(0);
        drop(gmp::spawn(async move {
            events.send(()).await.expect("received");
            if !mistake {
                let _callback = called.next().await;
            }
            events.send(()).await.expect("received");
            let _callback = called.next().await;
        }));
        drop(gmp::spawn(async move {
            while happened.next().await.is_some() {
                // The other loop is at its next event already.
                callbacks.send(()).await.expect("received");
            }
        }));
    })
}

fn close_that_sends_nothing(mistake: bool) -> Story {
    Box::pin(async move {
        let stream = both::<u8>(0);
        let reader = stream.clone();
        drop(gmp::spawn(async move {
            let _byte = reader.rx.lock().await.next().await;
        }));
        if !mistake {
            stream.tx.clone().close_channel();
        }
    })
}

fn events_without_a_reader(mistake: bool) -> Story {
    Box::pin(async move {
        let results = both::<u8>(0);
        let watcher = results.clone();
        drop(gmp::spawn(async move {
            for event in 0..3 {
                watcher.tx.clone().send(event).await.expect("open");
            }
        }));
        if !mistake {
            let mut rx = results.rx.lock().await;
            for event in 0..3 {
                assert_eq!(rx.next().await, Some(event));
            }
        }
    })
}

fn close_inside_the_loop(mistake: bool) -> Story {
    Box::pin(async move {
        let (stopped, has_stopped) = oneshot::channel::<()>();
        let has_stopped = has_stopped.shared();
        let own = has_stopped.clone();
        drop(gmp::spawn(async move {
            let _until_the_end = stopped;
            if mistake {
                let _never = own.await;
            }
        }));
        drop(gmp::spawn(async move {
            let _closed = has_stopped.await;
        }));
    })
}

fn no_workers(mistake: bool) -> Story {
    Box::pin(async move {
        let items = both::<u8>(0);
        let workers = if mistake { 0 } else { 3 };
        for _ in 0..workers {
            let items = items.clone();
            drop(gmp::spawn(async move {
                let _item = items.rx.lock().await.next().await;
            }));
        }
        drop(gmp::spawn(async move {
            for item in 0..3 {
                items.tx.clone().send(item).await.expect("open");
            }
        }));
    })
}

fn answer_of_nobody(mistake: bool) -> Story {
    Box::pin(async move {
        drop(gmp::spawn(async move {
            let (tx, mut rx) = mpsc::channel::<u8>(0);
            let senders = if mistake { 0 } else { 5 };
            for at in 0..senders {
                let mut tx = tx.clone();
                drop(gmp::spawn(async move {
                    // All but one come too late, and hear it.
                    let _sent = tx.send(at).await;
                }));
            }
            let _first = rx.next().await;
        }));
    })
}
