//! Many tasks at one channel, and many channels in a chain.

use std::thread;

use gmp::chan::{self, Receiver, TryRecvError};
use gmp::runtime::Builder;

use super::on_1_and_4;
use crate::watchdog::within;

#[test]
fn each_value_of_many_senders_reaches_one_of_many_receivers() {
    const SENDERS: u64 = 8;
    const EACH: u64 = 1_000;
    on_1_and_4(|rt| {
        for capacity in [Some(0), Some(1), Some(10), Some(100), None] {
            let (tx, rx) = capacity.map_or_else(chan::unbounded, chan::bounded);
            let receivers: Vec<_> = (0..5)
                .map(|_| {
                    let rx = rx.clone();
                    rt.spawn(async move {
                        let (mut sum, mut got) = (0, 0_u64);
                        // The values of one sender come in its order.
                        let mut latest = [None; SENDERS as usize];
                        while let Ok((sender, n)) = rx.recv().await {
                            assert!(latest[sender] < Some(n));
                            latest[sender] = Some(n);
                            sum += n;
                            got += 1;
                        }
                        (sum, got)
                    })
                })
                .collect();
            for sender in 0..SENDERS as usize {
                let tx = tx.clone();
                drop(rt.spawn(async move {
                    for n in 0..EACH {
                        tx.send((sender, n)).await.expect("receivers live");
                    }
                }));
            }
            drop((tx, rx));
            let (mut sum, mut got) = (0, 0);
            for receiver in receivers {
                let (s, g) = rt.block_on(receiver).expect("no panic");
                (sum, got) = (sum + s, got + g);
            }
            assert_eq!(got, SENDERS * EACH, "{capacity:?}");
            assert_eq!(sum, SENDERS * EACH * (EACH - 1) / 2, "{capacity:?}");
        }
    });
}

/// The wake-up of a receiver goes before all who were ready (Go: chan.go send,
/// goready), so that a value is used while it is warm. Every 61st turn belongs to
/// the global queue, so not each round can tell.
#[test]
fn a_receiver_that_is_handed_a_value_runs_next() {
    const ROUNDS: usize = 30;
    within(60, || {
        let rt = Builder::new().procs(1).build().expect("a runtime");
        let firsts = rt.spawn(async {
            let (order, log) = chan::unbounded();
            let (tx, rx) = chan::bounded(0);
            let first = order.clone();
            drop(gmp::spawn(async move {
                while let Ok(()) = rx.recv().await {
                    first.try_send(0).expect("the log lives");
                }
            }));
            let mut firsts = 0;
            for _ in 0..ROUNDS {
                // The only P gets to the receiver, which waits then.
                gmp::task::yield_now().await;
                for n in 1..4 {
                    let order = order.clone();
                    drop(gmp::spawn(async move {
                        order.try_send(n).expect("the log lives")
                    }));
                }
                tx.send(()).await.expect("the receiver lives");
                let mut seen = [9; 4];
                for place in &mut seen {
                    *place = log.recv().await.expect("four are logged");
                }
                firsts += usize::from(seen[0] == 0);
            }
            firsts
        });
        let firsts = rt.block_on(firsts).expect("no panic");
        assert!(firsts * 3 >= ROUNDS * 2, "first in {firsts} of {ROUNDS}");
    });
}

#[test]
fn a_buffered_channel_keeps_the_order_of_its_sender() {
    on_1_and_4(|rt| {
        for capacity in [1, 2, 64] {
            let (tx, rx) = chan::bounded(capacity);
            let sender = rt.spawn(async move {
                for n in 0..5_000 {
                    tx.send(n).await.expect("the receiver lives");
                }
            });
            rt.block_on(async {
                for n in 0..5_000 {
                    assert_eq!(rx.recv().await, Ok(n));
                    assert!(rx.len() <= capacity);
                }
                assert!(rx.recv().await.is_err());
            });
            rt.block_on(sender).expect("no panic");
        }
    });
}

/// A value that was there before the close is found by one of two, and never
/// reported as missing to both.
#[test]
fn a_try_recv_that_races_a_close_and_a_receive_finds_each_value_once() {
    on_1_and_4(|rt| {
        for _ in 0..300 {
            let (tx, rx) = chan::bounded(1);
            tx.try_send(1).expect("room");
            let other = rx.clone();
            let (tried, closed) = thread::scope(|scope| {
                let tried = scope.spawn(move || other.try_recv());
                tx.close();
                let received = rt.block_on(rx.recv());
                (tried.join().expect("no panic"), received)
            });
            match tried {
                Ok(1) => assert!(closed.is_err()),
                Err(TryRecvError::Closed) => assert_eq!(closed, Ok(1)),
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn try_sends_and_try_recvs_agree_on_what_went_through() {
    on_1_and_4(|rt| {
        for capacity in [0, 1, 3] {
            let (tx, rx) = chan::bounded(capacity);
            let trying = rt.spawn(async move {
                let mut sent = 0_u32;
                for n in 0..20_000_u32 {
                    match tx.try_send(n) {
                        Ok(()) => sent += 1,
                        Err(_) => gmp::task::yield_now().await,
                    }
                }
                sent
            });
            let waiting = {
                let rx = rx.clone();
                rt.spawn(async move {
                    let mut got = 0_u32;
                    while rx.recv().await.is_ok() {
                        got += 1;
                    }
                    got
                })
            };
            let mut got = rt.block_on(async move {
                let mut got = 0_u32;
                loop {
                    match rx.try_recv() {
                        Ok(_) => got += 1,
                        Err(TryRecvError::Empty) => gmp::task::yield_now().await,
                        Err(TryRecvError::Closed) => return got,
                    }
                }
            });
            got += rt.block_on(waiting).expect("no panic");
            let sent = rt.block_on(trying).expect("no panic");
            assert_eq!(got, sent, "capacity {capacity}");
            assert!(sent > 0);
        }
    });
}

#[test]
fn a_number_goes_through_a_chain_of_ten_thousand_tasks() {
    on_1_and_4(|rt| {
        let (first, mut last) = chan::bounded(0);
        for _ in 0..10_000 {
            let (tx, rx) = chan::bounded(0);
            let left = std::mem::replace(&mut last, rx);
            drop(rt.spawn(async move {
                while let Ok(n) = left.recv().await {
                    tx.send(n + 1).await.expect("the next one lives");
                }
            }));
        }
        rt.block_on(async {
            for n in 0..3 {
                first.send(n).await.expect("the chain lives");
                assert_eq!(last.recv().await, Ok(n + 10_000));
            }
            // The close goes through as well.
            drop(first);
            assert!(last.recv().await.is_err());
        });
    });
}

#[test]
fn a_sieve_of_channels_finds_the_primes() {
    on_1_and_4(|rt| {
        let (tx, rx) = chan::bounded(0);
        let counter = rt.spawn(async move {
            let mut n = 2_u32;
            while tx.send(n).await.is_ok() {
                n += 1;
            }
        });
        let primes = rt.block_on(async {
            let mut primes = Vec::new();
            let mut numbers: Receiver<u32> = rx;
            while primes.len() < 100 {
                let prime = numbers.recv().await.expect("numbers never end");
                primes.push(prime);
                let (tx, rx) = chan::bounded(0);
                let from = std::mem::replace(&mut numbers, rx);
                drop(gmp::spawn(async move {
                    while let Ok(n) = from.recv().await {
                        if n % prime != 0 && tx.send(n).await.is_err() {
                            return;
                        }
                    }
                }));
            }
            primes
        });
        assert_eq!(
            (primes[..5].to_vec(), primes[99]),
            (vec![2, 3, 5, 7, 11], 541)
        );
        // The drop of the last receiver ends the whole chain, one by one.
        rt.block_on(counter).expect("no panic");
    });
}
