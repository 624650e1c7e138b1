//! Long runs of chosen steps on one channel, polled by hand.
//!
//! After each step a future that was not woken since its last poll has nothing to
//! do, and one that was woken is ready: no wake-up is lost and none is for naught.

use std::cell::Cell;
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use gmp::chan::{self, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError};

use crate::dice::Dice;
use crate::drops::{Drops, Token};
use crate::hand::{Woken, poll_with};

type Value = (u32, Token);

/// A future and what its waker has counted when it was last polled.
pub(crate) struct Waiting<F> {
    future: F,
    woken: Arc<Woken>,
    seen: usize,
}

impl<F: Future + Unpin> Waiting<F> {
    pub(crate) fn new(future: F) -> Waiting<F> {
        Waiting {
            future,
            woken: Woken::new(),
            seen: 0,
        }
    }

    /// Polls, and checks the result against the wake-ups.
    pub(crate) fn poll(&mut self, first: bool) -> Poll<F::Output> {
        let woken = self.woken.count() > std::mem::replace(&mut self.seen, self.woken.count());
        let step = poll_with(&mut Pin::new(&mut self.future), &self.woken);
        assert!(first || woken == step.is_ready(), "woken: {woken}");
        step
    }
}

/// What has become of the values.
#[derive(Default)]
struct Book {
    /// Those of which the channel said that they were sent.
    sent: HashSet<u32>,
    received: HashSet<u32>,
    /// Those whose send was dropped while it waited: sent or not.
    unknown: HashSet<u32>,
}

impl Book {
    fn sent(&mut self, n: u32, result: Result<(), SendError<Value>>) {
        match result {
            Ok(()) => assert!(self.sent.insert(n)),
            Err(SendError((back, _))) => assert_eq!(back, n, "the own value comes back"),
        }
    }

    fn received(&mut self, result: Result<Value, RecvError>) {
        if let Ok((n, _)) = result {
            assert!(self.received.insert(n), "{n} came twice");
        }
    }
}

fn one_run(seed: u32, capacity: Option<usize>) {
    let dice = &mut Dice::new(seed);
    let (drops, made) = (Drops::new(), Cell::new(0));
    let token = || {
        made.set(made.get() + 1);
        drops.token()
    };
    let (tx, rx): (Sender<Value>, Receiver<Value>) =
        capacity.map_or_else(chan::unbounded, chan::bounded);
    let mut book = Book::default();
    let mut sends = Vec::new();
    let mut recvs = Vec::new();
    let steps = 400;
    for n in 0..steps {
        match dice.roll(10) {
            0 | 1 => {
                let mut send = Waiting::new(tx.send((n, token())));
                match send.poll(true) {
                    Poll::Ready(result) => book.sent(n, result),
                    Poll::Pending => sends.push((n, send)),
                }
            }
            2 | 3 => {
                let mut recv = Waiting::new(rx.recv());
                match recv.poll(true) {
                    Poll::Ready(result) => book.received(result),
                    Poll::Pending => recvs.push(recv),
                }
            }
            4 if !sends.is_empty() => {
                let at = dice.roll(sends.len());
                if let Poll::Ready(result) = sends[at].1.poll(false) {
                    let (n, _) = sends.swap_remove(at);
                    book.sent(n, result);
                }
            }
            5 if !recvs.is_empty() => {
                let at = dice.roll(recvs.len());
                if let Poll::Ready(result) = recvs[at].poll(false) {
                    recvs.swap_remove(at);
                    book.received(result);
                }
            }
            6 if !sends.is_empty() => {
                let (n, _) = sends.swap_remove(dice.roll(sends.len()));
                book.unknown.insert(n);
            }
            7 if !recvs.is_empty() => drop(recvs.swap_remove(dice.roll(recvs.len()))),
            8 => match tx.try_send((n, token())) {
                Ok(()) => assert!(book.sent.insert(n)),
                Err(TrySendError::Full((back, _))) => assert_eq!(back, n),
                Err(TrySendError::Closed(_)) => assert!(tx.is_closed()),
            },
            9 => match rx.try_recv() {
                Ok(value) => book.received(Ok(value)),
                Err(TryRecvError::Empty) => assert!(rx.is_empty()),
                Err(TryRecvError::Closed) => assert!(rx.is_empty() && rx.is_closed()),
            },
            _ => {}
        }
        if n == steps - 60 && seed.is_multiple_of(2) {
            tx.close();
        }
    }
    // What was handed to these goes back inside or on to the next.
    while !recvs.is_empty() {
        drop(recvs.swap_remove(dice.roll(recvs.len())));
    }
    tx.close();
    for (n, mut send) in sends {
        match send.poll(false) {
            Poll::Ready(result) => book.sent(n, result),
            Poll::Pending => panic!("a closed channel answers"),
        }
    }
    while let Ok(value) = rx.try_recv() {
        book.received(Ok(value));
    }
    let missing: Vec<_> = book.sent.difference(&book.received).collect();
    assert!(missing.is_empty(), "sent and never received: {missing:?}");
    let mut extra = book.received.difference(&book.sent);
    assert!(extra.all(|n| book.unknown.contains(n)), "never sent");
    drop(recvs);
    drop((tx, rx));
    // Each value that was made is dropped once.
    assert_eq!(drops.count(), made.get());
}

#[test]
fn any_steps_lose_no_value_and_no_wake_up() {
    for capacity in [Some(0), Some(1), Some(3), None] {
        for seed in 1..200 {
            let run = std::panic::catch_unwind(|| one_run(seed, capacity));
            assert!(run.is_ok(), "seed {seed}, capacity {capacity:?}");
        }
    }
}
