//! T-14, T-15, T-16 and Go's TestSchedLocalQueue*: the local queue alone, and
//! between threads. The models check every interleaving of a few steps; these
//! run many steps on the machine's own memory.

use std::sync::Barrier;
use std::thread;

use super::kit::Num;
use crate::runq::{Grab, RunQueue, Runnext};
use crate::sync::{AtomicBool, Ordering};

/// Where indices start, so that they wrap in the course of a test.
const NEAR_THE_WRAP: u32 = 0xFFFF_FFF0;

fn put(queue: &RunQueue<Num>, n: u32, next: bool) {
    assert!(queue.put(Num(n), next).is_ok(), "the ring has room");
}

/// Rules R-RUNQ-2 and 6. Source: Go's TestSchedLocalQueue.
#[test]
fn t16_put_and_get_of_every_length() {
    let queue = RunQueue::starting_at(u32::MAX - 100);
    for len in 0..256 {
        assert!(queue.is_empty());
        for n in 0..len {
            put(&queue, n, false);
        }
        for n in 0..len {
            assert_eq!(queue.get(), Some((Num(n), false)));
        }
        assert!(queue.is_empty());
        assert_eq!(queue.get(), None);
    }
}

/// Rule R-STEAL-3. Source: Go's TestSchedLocalQueueSteal, but with the exact
/// amount and the exact item to run.
#[test]
fn t17_a_steal_of_every_length() {
    for len in 0..=256 {
        let (victim, thief) = (RunQueue::starting_at(u32::MAX - 100), RunQueue::new());
        for n in 0..len {
            put(&victim, n, false);
        }
        let half = len.div_ceil(2);
        match victim.grab_into(&thief, Runnext::Leave) {
            Grab::Got(last) => assert_eq!(last, Num(half - 1)),
            Grab::Nothing => assert_eq!(len, 0),
            Grab::OnlyRunnext => panic!("there is no runnext"),
        }
        let rest = |queue: &RunQueue<Num>| -> Vec<u32> {
            std::iter::from_fn(|| queue.get_ring())
                .map(|n| n.0)
                .collect()
        };
        let stolen: Vec<u32> = (0..half.saturating_sub(1)).collect();
        assert_eq!(rest(&thief), stolen);
        assert_eq!(rest(&victim), (half..len).collect::<Vec<_>>());
    }
}

/// Rule R-RUNQ-7, T-14: with one of two items always queued, nobody ever sees an
/// empty queue. Source: Go's TestSchedLocalQueueEmpty.
#[test]
fn t14_never_falsely_empty() {
    const ROUNDS: u32 = 300_000;
    let queue = RunQueue::starting_at(NEAR_THE_WRAP);
    let over = AtomicBool::new(false);
    let looks = thread::scope(|scope| {
        put(&queue, 0, true);
        let looker = scope.spawn(|| {
            let mut looks = 0_u64;
            loop {
                let last = over.load(Ordering::Acquire); // ord: nothing but the end
                assert!(!queue.is_empty(), "empty after {looks} looks");
                looks += 1;
                if last {
                    return looks;
                }
            }
        });
        for round in 0..ROUNDS {
            // One item is in runnext and the ring is empty: who looks at the ring
            // first and at runnext later must not miss the item that goes from
            // here to there, or the one that is left there.
            put(&queue, 1, round & 1 == 0);
            assert!(queue.get().is_some());
            put(&queue, 2, true);
            assert!(queue.get_ring().is_some());
        }
        over.store(true, Ordering::Release); // ord: as the looker's
        looker.join().expect("the looker saw no empty queue")
    });
    assert!(looks > 0);
}

/// What one thief got: everything that it can from `victim`.
fn thief(victim: &RunQueue<Num>, over: &AtomicBool) -> Vec<u32> {
    let mine = RunQueue::starting_at(NEAR_THE_WRAP);
    let mut got = Vec::new();
    loop {
        let last = over.load(Ordering::Acquire); // ord: the last look comes after the last put
        let may = [Runnext::Leave, Runnext::Ask, Runnext::Take][got.len() % 3];
        match victim.grab_into(&mine, may) {
            Grab::Got(item) => {
                got.push(item.0);
                got.extend(std::iter::from_fn(|| mine.get()).map(|(item, _)| item.0));
            }
            Grab::Nothing | Grab::OnlyRunnext if last => return got,
            Grab::Nothing | Grab::OnlyRunnext => thread::yield_now(),
        }
    }
}

fn assert_each_once(mut got: Vec<u32>, count: u32) {
    got.sort_unstable();
    assert_eq!(got.len(), count as usize);
    assert!(got.into_iter().eq(0..count));
}

/// Rules R-RUNQ-1 to 6 and R-STEAL-3, T-16: one owner, two thieves, indices that
/// wrap; every item is delivered once.
#[test]
fn t16_owner_and_two_thieves() {
    const ITEMS: u32 = 200_000;
    let queue = RunQueue::starting_at(NEAR_THE_WRAP);
    let over = AtomicBool::new(false);
    let got = thread::scope(|scope| {
        let thieves = [(); 2].map(|()| scope.spawn(|| thief(&queue, &over)));
        let mut got = Vec::new();
        for n in 0..ITEMS {
            if let Err(item) = queue.put(Num(n), n % 3 == 0) {
                queue.spill(item, |item| got.push(item.0));
            }
            if n % 4 == 0 {
                got.extend(queue.get().map(|(item, _)| item.0));
            }
        }
        over.store(true, Ordering::Release); // ord: after the last put
        got.extend(std::iter::from_fn(|| queue.get()).map(|(item, _)| item.0));
        for thief in thieves {
            got.extend(thief.join().expect("a thief ends"));
        }
        got
    });
    assert_each_once(got, ITEMS);
}

/// Rule R-RUNQ-10, T-15: a drain while somebody steals.
#[test]
fn t15_a_drain_races_with_a_thief() {
    const LEN: u32 = 256;
    for round in 0..500 {
        let queue = RunQueue::starting_at(NEAR_THE_WRAP - round);
        for n in 0..LEN {
            put(&queue, n, false);
        }
        put(&queue, LEN, true);
        let start = Barrier::new(2);
        let over = AtomicBool::new(true);
        let got = thread::scope(|scope| {
            let thief = scope.spawn(|| {
                start.wait();
                thief(&queue, &over)
            });
            start.wait();
            let mut got = Vec::new();
            queue.drain(|item| got.push(item.0));
            got.extend(thief.join().expect("the thief ends"));
            got
        });
        assert!(queue.is_empty());
        assert_each_once(got, LEN + 1);
    }
}
