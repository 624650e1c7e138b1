//! Permits: room that is kept, whose turn it is, and what happens to room that
//! nobody uses.

use std::pin::Pin;
use std::task::Poll;

use gmp::chan::{self, Permit, RecvError, SendError, Sender, TryRecvError, TrySendError};
use gmp::runtime::Runtime;

use crate::dice::Dice;
use crate::hand::{Woken, poll, poll_with};
use crate::on_1_and_4;
use crate::random::Waiting;

#[track_caller]
pub(crate) fn ready<T>(step: Poll<T>) -> T {
    match step {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// The sum of what eight producers send into a channel with this much room.
pub(crate) fn sum_of_eight<P>(
    rt: &Runtime,
    room: usize,
    produce: impl Fn(usize, Sender<u64>) -> P,
) -> u64
where
    P: Future<Output = ()> + Send + 'static,
{
    rt.block_on(async {
        let (tx, rx) = chan::bounded(room);
        let producers: Vec<_> = (0..8).map(|p| gmp::spawn(produce(p, tx.clone()))).collect();
        drop(tx);
        let mut sum = 0;
        while let Ok(n) = rx.recv().await {
            sum += n;
        }
        for done in producers {
            done.await.expect("no panic");
        }
        sum
    })
}

#[test]
fn a_permit_keeps_its_room() {
    let (tx, rx) = chan::bounded(2);
    let permit = ready(poll(&mut tx.reserve())).expect("open");
    tx.try_send(1).expect("room for one more");
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert!(tx.try_reserve().expect_err("full").is_full());
    assert_eq!(rx.len(), 1, "room that is kept is not a value");
    permit.send(3).expect("open");
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Ok(3)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    drop(tx.try_reserve().expect("room"));
    drop(tx.try_reserve().expect("room again"));
    let both = (tx.try_reserve(), tx.try_reserve());
    assert!(both.0.is_ok() && both.1.is_ok());
}

#[test]
fn permits_and_sends_wait_in_one_order() {
    let (tx, rx) = chan::bounded(1);
    tx.try_send(0).expect("room");
    let woken = [Woken::new(), Woken::new(), Woken::new()];
    let (mut first, mut second, mut third) = (tx.reserve(), tx.send(2), tx.reserve());
    assert!(poll_with(&mut first, &woken[0]).is_pending());
    assert!(poll_with(&mut second, &woken[1]).is_pending());
    assert!(poll_with(&mut third, &woken[2]).is_pending());
    let counts = || woken.each_ref().map(|woken| woken.count());
    assert_eq!(rx.try_recv(), Ok(0));
    assert_eq!(counts(), [1, 0, 0]);
    let permit = ready(poll(&mut first)).expect("open");
    permit.send(1).expect("open");
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(counts(), [1, 1, 0]);
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!(counts(), [1, 1, 1]);
    assert!(ready(poll(&mut second)).is_ok());
    assert!(ready(poll(&mut third)).is_ok());
}

#[test]
fn room_that_nobody_uses_goes_on() {
    let (tx, rx) = chan::bounded(1);
    let held = tx.try_reserve().expect("room");
    let woken = Woken::new();
    let mut next = tx.reserve();
    assert!(poll_with(&mut next, &woken).is_pending());
    drop(held);
    assert_eq!(woken.count(), 1);
    // It has the room and goes away before it is polled.
    let last = Woken::new();
    let mut send = tx.send(5);
    assert!(poll_with(&mut send, &last).is_pending());
    drop(next);
    assert_eq!(last.count(), 1);
    assert_eq!(rx.try_recv(), Ok(5));
    // One that waits and goes away leaves the queue to the others.
    let held = tx.try_reserve().expect("room");
    let (mut gone, mut send) = (tx.reserve(), tx.send(6));
    assert!(poll(&mut gone).is_pending());
    assert!(poll_with(&mut send, &last).is_pending());
    drop(gone);
    drop(held);
    assert_eq!((last.count(), rx.try_recv()), (2, Ok(6)));
}

#[test]
fn a_waiting_receiver_gets_the_value_and_the_room_goes_on() {
    let (tx, rx) = chan::bounded(1);
    let permit = tx.try_reserve().expect("room");
    let (receiver, sender) = (Woken::new(), Woken::new());
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &receiver).is_pending());
    // Others may send past the permit to who waits, but not into its room.
    let mut other = tx.reserve();
    assert!(poll_with(&mut other, &sender).is_pending());
    permit.send(1).expect("open");
    assert_eq!((receiver.count(), sender.count()), (1, 1));
    assert_eq!(ready(poll(&mut recv)), Ok(1));
    assert!(ready(poll(&mut other)).is_ok());
}

#[test]
fn closing_ends_those_who_wait_for_a_permit_and_none_that_is_out() {
    let (tx, rx) = chan::bounded(1);
    let permit = tx.try_reserve().expect("room");
    let woken = Woken::new();
    let mut waits = tx.reserve();
    assert!(poll_with(&mut waits, &woken).is_pending());
    rx.close();
    assert_eq!(woken.count(), 1);
    assert_eq!(ready(poll(&mut waits)).map(drop), Err(SendError(())));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(permit.send("late"), Ok(()));
    assert_eq!(rx.try_recv(), Ok("late"));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert!(tx.try_reserve().expect_err("closed").is_closed());
    assert_eq!(ready(poll(&mut tx.reserve())).map(drop), Err(SendError(())));
    // Without a receiver as well.
    let (tx, rx) = chan::bounded(1);
    let permit = tx.try_reserve().expect("room");
    drop(rx);
    assert_eq!(permit.send(1), Err(SendError(1)));
}

#[test]
fn receivers_of_a_closed_channel_wait_for_permits() {
    // The last permit is used, dropped, or dropped before its future was polled again.
    for end in 0..3 {
        let (tx, rx) = chan::bounded(2);
        let (first, last) = (tx.try_reserve().expect("room"), tx.try_reserve());
        let mut granted = tx.reserve();
        assert!(poll(&mut granted).is_pending());
        let (wakers, mut recvs) = ([Woken::new(), Woken::new()], [rx.recv(), rx.recv()]);
        for (recv, woken) in recvs.iter_mut().zip(&wakers) {
            assert!(poll_with(recv, woken).is_pending());
        }
        let last = if end == 2 {
            // Its room is kept for the one that waits, which is not polled.
            drop(last);
            None
        } else {
            drop(granted);
            granted = tx.reserve();
            Some(last.expect("room"))
        };
        tx.close();
        assert_eq!(wakers.each_ref().map(|w| w.count()), [0, 0], "{end}");
        first.send(1).expect("receivers");
        assert_eq!(wakers.each_ref().map(|w| w.count()), [1, 0], "{end}");
        let [one, other] = &mut recvs;
        assert_eq!(ready(poll(one)), Ok(1));
        match (end, last) {
            (0, Some(last)) => {
                last.send(2).expect("receivers");
                assert_eq!(wakers[1].count(), 1);
                assert_eq!(ready(poll(other)), Ok(2));
            }
            (_, last) => {
                drop((last, granted));
                assert_eq!(wakers[1].count(), 1, "{end}");
                assert_eq!(ready(poll(other)), Err(RecvError));
            }
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    }
}

#[test]
fn a_rendezvous_has_one_permit() {
    let (tx, rx) = chan::bounded(0);
    let permit = tx.try_reserve().expect("the one");
    assert!(tx.try_reserve().is_err());
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    // Sender and receiver meet beside it.
    let mut send = tx.send(2);
    assert!(poll(&mut send).is_pending());
    assert_eq!(rx.try_recv(), Ok(2));
    assert!(ready(poll(&mut send)).is_ok());
    permit.send(3).expect("open");
    let woken = Woken::new();
    let mut next = tx.reserve();
    assert!(poll_with(&mut next, &woken).is_pending());
    assert_eq!(rx.try_recv(), Ok(3));
    assert_eq!(woken.count(), 1);
    assert!(ready(poll(&mut next)).is_ok());
}

/// No wake-up is lost and none is for naught, and room adds up.
fn one_run(seed: u32, capacity: Option<usize>) {
    let dice = &mut Dice::new(seed);
    let (tx, rx) = capacity.map_or_else(chan::unbounded, chan::bounded);
    let (mut sends, mut wants, mut recvs) = (Vec::new(), Vec::new(), Vec::new());
    let mut permits: Vec<Permit<'_, u32>> = Vec::new();
    let (mut sent, mut received) = (0, 0);
    for step in 0..300 {
        match dice.roll(10) {
            0 | 1 => {
                let mut send = Waiting::new(tx.send(step));
                match send.poll(true) {
                    Poll::Ready(result) => sent += u32::from(result.is_ok()),
                    Poll::Pending => sends.push(send),
                }
            }
            2 | 3 => {
                let mut want = Waiting::new(tx.reserve());
                match want.poll(true) {
                    Poll::Ready(permit) => permits.extend(permit),
                    Poll::Pending => wants.push(want),
                }
            }
            4 | 5 => {
                let mut recv = Waiting::new(rx.recv());
                match recv.poll(true) {
                    Poll::Ready(result) => received += u32::from(result.is_ok()),
                    Poll::Pending => recvs.push(recv),
                }
            }
            6 | 7 if !permits.is_empty() => {
                let permit = permits.swap_remove(dice.roll(permits.len()));
                sent += u32::from(permit.send(step).is_ok());
            }
            8 if !permits.is_empty() => drop(permits.swap_remove(dice.roll(permits.len()))),
            9 if !wants.is_empty() => drop(wants.swap_remove(dice.roll(wants.len()))),
            _ => {}
        }
        // Each waiting future checks its wake-ups against what it finds.
        sends.retain_mut(|send| match send.poll(false) {
            Poll::Ready(result) => {
                sent += u32::from(result.is_ok());
                false
            }
            Poll::Pending => true,
        });
        recvs.retain_mut(|recv| match recv.poll(false) {
            Poll::Ready(result) => {
                received += u32::from(result.is_ok());
                false
            }
            Poll::Pending => true,
        });
        wants.retain_mut(|want| match want.poll(false) {
            Poll::Ready(permit) => {
                permits.extend(permit);
                false
            }
            Poll::Pending => true,
        });
        let room = capacity.map_or(usize::MAX, |n| n.max(1));
        let used = rx.len() + permits.len();
        assert!(used <= room, "{used} of {room}");
        assert!(
            wants.is_empty() || used == room,
            "room, and one waits for it"
        );
        if capacity != Some(0) {
            assert!(
                sends.is_empty() || used == room,
                "room, and one waits to send"
            );
        }
        let waits = !recvs.is_empty();
        assert!(
            !waits || (rx.is_empty() && sends.is_empty()),
            "it could receive"
        );
    }
    // The waits first: room that comes free would go to them.
    drop((sends, wants, recvs));
    drop(permits);
    while rx.try_recv().is_ok() {
        received += 1;
    }
    assert_eq!(sent, received);
}

#[test]
fn random_steps_keep_the_books() {
    for capacity in [Some(0), Some(1), Some(2), Some(5), None] {
        for seed in 1..200 {
            one_run(seed, capacity);
        }
    }
}

#[test]
fn producers_with_permits_on_several_ps() {
    on_1_and_4(|rt| {
        let total = sum_of_eight(&rt, 3, |_, tx| async move {
            for n in 0..500_u64 {
                match n % 3 {
                    0 => drop(tx.reserve().await.expect("open")),
                    1 => tx.send(n).await.expect("open"),
                    _ => tx.reserve().await.expect("open").send(n).expect("open"),
                }
            }
        });
        let each: u64 = (0..500).filter(|n| n % 3 != 0).sum();
        assert_eq!(total, 8 * each);
    });
}

#[test]
fn a_reserve_may_stand_in_a_select() {
    let (tx, rx) = chan::bounded::<u32>(1);
    let held = tx.try_reserve().expect("room");
    let chosen = gmp::block_on(async {
        let mut reserve = tx.reserve();
        let mut tick = std::pin::pin!(futures::FutureExt::fuse(gmp::task::yield_now()));
        gmp::select! {
            _permit = reserve => "a permit",
            () = tick => "a tick",
        }
    });
    assert_eq!(chosen, "a tick");
    held.send(1).expect("open");
    let mut recv = rx.recv();
    assert_eq!(ready(Pin::new(&mut recv).poll(&mut noop())), Ok(1));
}

fn noop() -> std::task::Context<'static> {
    std::task::Context::from_waker(std::task::Waker::noop())
}
