//! Mistakes that leak in Go and end by themselves here: the end that somebody
//! forgot is dropped with its owner, and the other side hears it.

use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};

use super::{Case, Story};

const fn ends(name: &'static str, what: &'static str, tell: fn(bool) -> Story) -> Case {
    Case {
        name,
        what,
        tell,
        left: 0,
        proven: 0,
    }
}

pub(super) const CASES: &[Case] = &[
    ends(
        "cockroach#13197, grpc#862",
        "what a watcher watches is dropped without a rollback or a close",
        no_rollback,
    ),
    ends(
        "etcd#6857",
        "a question to a node that has stopped",
        stopped_node,
    ),
    ends(
        "grpc#660, kubernetes#5316, moby#33781, common: early return, common: timeout",
        "an answer to somebody who has gone",
        abandoned_answer,
    ),
    ends(
        "grpc#1424",
        "a watcher returns without closing its channel",
        unclosed_channel,
    ),
    ends(
        "common: no close, common: contract",
        "workers that nobody stops",
        unclosed_pool,
    ),
    ends(
        "common: double send",
        "a second send after the one that is received",
        double_send,
    ),
    ends("common: n-cast", "all senders but the first", many_answers),
];

fn no_rollback(mistake: bool) -> Story {
    Box::pin(async move {
        let (cancel, done) = oneshot::channel::<()>();
        drop(gmp::spawn(async move {
            let _ended = done.await;
        }));
        if mistake {
            drop(cancel);
        } else {
            cancel.send(()).expect("awaited");
        }
    })
}

fn stopped_node(mistake: bool) -> Story {
    Box::pin(async move {
        let (mut questions, mut node) = mpsc::channel::<oneshot::Sender<u8>>(0);
        drop(gmp::spawn(async move {
            if !mistake {
                let question = node.next().await.expect("one");
                question.send(7).expect("awaited");
            }
        }));
        gmp::task::yield_now().await;
        drop(gmp::spawn(async move {
            let (answer, answered) = oneshot::channel();
            if questions.send(answer).await.is_ok() {
                let _status = answered.await;
            }
        }));
    })
}

fn abandoned_answer(mistake: bool) -> Story {
    Box::pin(async move {
        let (mut tx, mut rx) = mpsc::channel::<u8>(0);
        drop(gmp::spawn(async move {
            let _heard = tx.send(1).await;
        }));
        // One round, in which the sender waits for a receiver.
        gmp::task::yield_now().await;
        if !mistake {
            assert_eq!(rx.next().await, Some(1));
        }
    })
}

fn unclosed_channel(mistake: bool) -> Story {
    Box::pin(async move {
        let (done, is_done) = oneshot::channel::<()>();
        drop(gmp::spawn(async move {
            gmp::task::yield_now().await;
            if !mistake {
                done.send(()).expect("awaited");
            }
        }));
        drop(gmp::spawn(async move {
            let _ended = is_done.await;
        }));
    })
}

fn unclosed_pool(mistake: bool) -> Story {
    Box::pin(async move {
        let mut items = Vec::new();
        for _ in 0..3 {
            let (tx, mut rx) = mpsc::channel::<u8>(1);
            items.push(tx);
            drop(gmp::spawn(
                async move { while rx.next().await.is_some() {} },
            ));
        }
        for tx in &mut items {
            tx.send(1).await.expect("received");
            if !mistake {
                tx.close_channel();
            }
        }
    })
}

fn double_send(mistake: bool) -> Story {
    Box::pin(async move {
        let (mut tx, mut rx) = mpsc::channel::<Result<u8, u8>>(0);
        drop(gmp::spawn(async move {
            if tx.send(Err(1)).await.is_ok() && mistake {
                let _sent = tx.send(Ok(1)).await;
            }
        }));
        assert_eq!(rx.next().await, Some(Err(1)));
    })
}

fn many_answers(mistake: bool) -> Story {
    Box::pin(async move {
        let (tx, mut rx) = mpsc::channel::<u8>(if mistake { 0 } else { 5 });
        for at in 0..5 {
            let mut tx = tx.clone();
            drop(gmp::spawn(async move {
                let _sent = tx.send(at).await;
            }));
        }
        let _first = rx.next().await;
    })
}
