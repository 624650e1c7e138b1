//! Permits by the dozen, and permits that have their sender.

use std::collections::VecDeque;
use std::task::Poll;

use gmp::chan::{self, SendError, TryRecvError, TrySendError};

use crate::dice::Dice;
use crate::hand::{Woken, poll, poll_with};
use crate::on_1_and_4;
use crate::permit::{ready, sum_of_eight};
use crate::random::Waiting;

#[test]
fn room_for_many_is_kept_at_once_and_given_back_piece_by_piece() {
    let (tx, rx) = chan::bounded(4);
    let mut permits = ready(poll(&mut tx.reserve_many(3))).expect("open");
    assert_eq!(permits.len(), 3);
    tx.try_send(0).expect("room for one more");
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    permits.next().expect("three").send(1).expect("open");
    drop(permits.next());
    tx.try_send(2).expect("one was given back");
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(permits.len(), 1);
    drop(permits);
    tx.try_send(3).expect("the last one as well");
    for n in 0..4 {
        assert_eq!(rx.try_recv(), Ok(n));
    }
    let mut all = tx.try_reserve_many(4).expect("all of it");
    assert_eq!(all.by_ref().count(), 4);
    assert!(all.next().is_none());
    assert_eq!(tx.try_reserve_many(4).expect("again").len(), 4);
}

#[test]
fn nobody_overtakes_one_that_wants_much() {
    let (tx, rx) = chan::bounded(3);
    tx.try_send(0).expect("room");
    let woken = [Woken::new(), Woken::new(), Woken::new()];
    let (mut much, mut send, mut one) = (tx.reserve_many(3), tx.send(7), tx.reserve());
    assert!(poll_with(&mut much, &woken[0]).is_pending());
    // There is room for two, and they stand behind one who wants three.
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    assert!(tx.try_reserve().expect_err("not its turn").is_full());
    assert!(poll_with(&mut send, &woken[1]).is_pending());
    assert!(poll_with(&mut one, &woken[2]).is_pending());
    let counts = || woken.each_ref().map(|woken| woken.count());
    assert_eq!(counts(), [0, 0, 0]);
    assert_eq!(rx.try_recv(), Ok(0));
    assert_eq!(counts(), [1, 0, 0]);
    let mut permits = ready(poll(&mut much)).expect("open");
    permits.next().expect("three").send(1).expect("open");
    assert_eq!(counts(), [1, 0, 0]);
    // Two places come free at once.
    drop(permits);
    assert_eq!(counts(), [1, 1, 1]);
    assert!(ready(poll(&mut send)).is_ok());
    assert!(ready(poll(&mut one)).is_ok());
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Ok(7)));
}

#[test]
fn one_that_wanted_much_and_goes_away_lets_the_others_in() {
    let (tx, rx) = chan::bounded(3);
    tx.try_send(0).expect("room");
    let woken = [Woken::new(), Woken::new(), Woken::new()];
    let (mut much, mut send, mut two) = (tx.reserve_many(3), tx.send(1), tx.reserve_many(2));
    assert!(poll(&mut much).is_pending());
    assert!(poll_with(&mut send, &woken[0]).is_pending());
    assert!(poll_with(&mut two, &woken[1]).is_pending());
    drop(much);
    // The send fits, the two do not yet.
    assert_eq!((woken[0].count(), woken[1].count()), (1, 0));
    assert_eq!((rx.try_recv(), woken[1].count()), (Ok(0), 1));
    // It has them, goes away, and gives both back.
    let mut after = tx.reserve_many(2);
    assert!(poll_with(&mut after, &woken[2]).is_pending());
    drop(two);
    assert_eq!(woken[2].count(), 1);
    assert_eq!(ready(poll(&mut after)).expect("open").len(), 2);
}

#[test]
fn a_receiver_that_waits_is_served_past_one_that_wants_much() {
    let (tx, rx) = chan::bounded(2);
    let held = tx.try_reserve().expect("room");
    let mut much = tx.reserve_many(2);
    assert!(poll(&mut much).is_pending());
    let mut recv = rx.recv();
    assert!(poll(&mut recv).is_pending());
    assert_eq!(tx.try_send(5), Ok(()), "from hand to hand");
    assert_eq!(ready(poll(&mut recv)), Ok(5));
    let mut send = tx.send(6);
    assert!(poll(&mut send).is_pending());
    assert_eq!(rx.try_recv(), Ok(6));
    assert_eq!(ready(poll(&mut send)), Ok(()));
    drop(held);
    assert_eq!(ready(poll(&mut much)).expect("open").len(), 2);
}

#[test]
fn more_than_there_ever_is_and_nothing_at_all() {
    let (tx, rx) = chan::bounded::<u32>(2);
    assert_eq!(
        ready(poll(&mut tx.reserve_many(3))).map(drop),
        Err(SendError(()))
    );
    assert!(tx.try_reserve_many(3).expect_err("too many").is_full());
    // None is there at once, however full it is and whoever waits.
    let all = tx.try_reserve_many(2).expect("room");
    let mut waits = tx.reserve();
    assert!(poll(&mut waits).is_pending());
    assert_eq!(ready(poll(&mut tx.reserve_many(0))).expect("open").len(), 0);
    drop(all);
    rx.close();
    assert_eq!(
        ready(poll(&mut tx.reserve_many(0))).map(drop),
        Err(SendError(()))
    );
    assert!(tx.try_reserve_many(1).expect_err("closed").is_closed());
    // A rendezvous has one.
    let (tx, _rx) = chan::bounded::<u32>(0);
    assert!(ready(poll(&mut tx.reserve_many(2))).is_err());
    assert_eq!(tx.try_reserve_many(1).expect("the one").len(), 1);
    // Without a bound there are as many as anybody wants.
    let (tx, rx) = chan::unbounded();
    let mut all = tx.try_reserve_many(usize::MAX).expect("no limit");
    let more = tx.try_reserve_many(usize::MAX).expect("no limit");
    tx.try_send(1).expect("never full");
    all.next().expect("many").send(2).expect("open");
    drop((all, more));
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Ok(2)));
}

#[test]
fn closing_ends_a_wait_for_many() {
    let (tx, rx) = chan::bounded(2);
    let permits = tx.try_reserve_many(2).expect("room");
    let woken = Woken::new();
    let mut waits = tx.reserve_many(2);
    assert!(poll_with(&mut waits, &woken).is_pending());
    drop(rx);
    assert_eq!(woken.count(), 1);
    assert!(ready(poll(&mut waits)).is_err());
    for (permit, n) in permits.zip(0..) {
        assert_eq!(permit.send(n), Err(SendError(n)));
    }
}

#[test]
fn an_owned_permit_has_its_sender() {
    let (tx, rx) = chan::bounded(1);
    let permit = ready(poll(&mut tx.reserve_owned())).expect("open");
    assert!(!rx.is_closed(), "the permit has the sender");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let tx = permit.send(1).expect("open");
    // Full: the sender comes back, and may wait.
    let tx = match tx.try_reserve_owned() {
        Err(TrySendError::Full(tx)) => tx,
        other => panic!("no room: {other:?}"),
    };
    let woken = Woken::new();
    let other = tx.clone();
    let mut waits = tx.reserve_owned();
    assert!(poll_with(&mut waits, &woken).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(woken.count(), 1);
    // It has the room and is dropped before it is polled.
    let mut next = other.clone().reserve_owned();
    assert!(poll_with(&mut next, &woken).is_pending());
    drop(waits);
    assert_eq!(woken.count(), 2);
    let permit = ready(poll(&mut next)).expect("open");
    let tx = permit.release();
    tx.try_send(2).expect("room was given back");
    assert_eq!(rx.try_recv(), Ok(2));
    // The last one that is dropped closes the channel, and gives the room back first.
    let permit = other.try_reserve_owned().expect("room");
    drop(permit);
    tx.try_send(3).expect("room");
    let permit = tx.try_reserve_owned();
    assert!(permit.expect_err("full").is_full());
    assert!(rx.is_closed());
    assert_eq!(rx.try_recv(), Ok(3));
}

#[test]
fn a_closed_channel_has_no_owned_permits() {
    let (tx, rx) = chan::bounded(1);
    let permit = tx.clone().try_reserve_owned().expect("room");
    let mut waits = tx.clone().reserve_owned();
    assert!(poll(&mut waits).is_pending());
    drop(rx);
    assert_eq!(permit.send(1).map(drop), Err(SendError(1)));
    assert!(ready(poll(&mut waits)).is_err());
    let back = tx.try_reserve_owned().expect_err("closed");
    assert!(matches!(back, TrySendError::Closed(tx) if tx.is_closed()));
}

/// Wishes of all sizes: they are served in the order of their coming, as soon as
/// the first fits and no sooner.
#[test]
fn random_wishes_are_served_in_their_order() {
    for seed in 1..300 {
        let dice = &mut Dice::new(seed);
        let room = 1 + dice.roll(6);
        let (tx, rx) = chan::bounded(room);
        let mut waiting = VecDeque::new();
        let mut permits = Vec::new();
        for step in 0..300 {
            match dice.roll(8) {
                0..3 => {
                    let many = dice.roll(room + 1);
                    let mut want = Waiting::new(tx.reserve_many(many));
                    match want.poll(true) {
                        Poll::Ready(got) => permits.extend(got.expect("open")),
                        Poll::Pending => waiting.push_back((many, want)),
                    }
                }
                3 if !waiting.is_empty() => {
                    drop(waiting.remove(dice.roll(waiting.len())));
                }
                4 | 5 if !permits.is_empty() => {
                    let permit = permits.swap_remove(dice.roll(permits.len()));
                    permit.send(step).expect("open");
                }
                6 if !permits.is_empty() => {
                    drop(permits.swap_remove(dice.roll(permits.len())));
                }
                _ => drop(rx.try_recv()),
            }
            // Those at the front that fit have it; each checks its wake-ups.
            let mut served = true;
            waiting.retain_mut(|(many, want)| match want.poll(false) {
                Poll::Ready(got) => {
                    assert!(served, "{many} overtook");
                    permits.extend(got.expect("open"));
                    false
                }
                Poll::Pending => {
                    served = false;
                    true
                }
            });
            let used = rx.len() + permits.len();
            assert!(used <= room, "{used} of {room}");
            if let Some((many, _)) = waiting.front() {
                assert!(used + many > room, "{many} fits beside {used} of {room}");
            }
        }
    }
}

#[test]
fn batches_on_several_ps() {
    on_1_and_4(|rt| {
        let total = sum_of_eight(&rt, 5, |p, tx| async move {
            let mut owned = tx.clone();
            for n in 0..200_u64 {
                let many = 1 + p % 5;
                for permit in tx.reserve_many(many).await.expect("open") {
                    permit.send(n).expect("open");
                }
                let permit = owned.reserve_owned().await.expect("open");
                owned = permit.send(n).expect("open");
            }
        });
        let each: u64 = (0..200).sum();
        let batches: u64 = (0..8).map(|p| 1 + p % 5 + 1).sum();
        assert_eq!(total, each * batches);
    });
}
