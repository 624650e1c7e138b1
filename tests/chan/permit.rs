//! Permits: room that is kept, whose turn it is, and what happens to room that
//! nobody uses.

use std::pin::Pin;
use std::task::Poll;

use gmp::chan::{self, Permit, SendError, Sender, TryRecvError, TrySendError};
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
fn closing_ends_permits_and_those_who_wait_for_one() {
    let (tx, rx) = chan::bounded(1);
    let permit = tx.try_reserve().expect("room");
    let woken = Woken::new();
    let mut waits = tx.reserve();
    assert!(poll_with(&mut waits, &woken).is_pending());
    rx.close();
    assert_eq!(woken.count(), 1);
    assert_eq!(ready(poll(&mut waits)).map(drop), Err(SendError(())));
    assert_eq!(permit.send("back"), Err(SendError("back")));
    assert!(tx.try_reserve().expect_err("closed").is_closed());
    assert_eq!(ready(poll(&mut tx.reserve())).map(drop), Err(SendError(())));
    // Without a receiver as well.
    let (tx, rx) = chan::bounded(1);
    let permit = tx.try_reserve().expect("room");
    drop(rx);
    assert_eq!(permit.send(1), Err(SendError(1)));
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
