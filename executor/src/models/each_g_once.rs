//! Each item of a ring is delivered once, to its owner or to a thief (L1, L2, L3;
//! T-16), from indices that wrap on the way.
//!
//! loom lets no load see a later store, so the model cannot tell whether a slot
//! is written again before a slow thief has copied it.

use std::sync::Arc;

use loom::thread;

use super::explore;
use super::items::{Ledger, Num};
use crate::runq::{HALF, RING, RunQueue, Runnext};

/// Two items before the wrap.
const START: u32 = u32::MAX - 1;

fn put(queue: &RunQueue<Num>, ledger: &Ledger, item: usize) {
    if let Err(item) = queue.put(ledger.make(item), false) {
        let mut items = Vec::new();
        queue.spill(item, |item| items.push(item));
        assert!([0, HALF as usize + 1].contains(&items.len()));
        assert!(
            items.is_sorted_by_key(Num::number),
            "an overflow keeps its order"
        );
        items.into_iter().for_each(|item| ledger.deliver(item));
    }
}

fn thief(
    victim: &Arc<RunQueue<Num>>,
    ledger: &Arc<Ledger>,
    steals: usize,
) -> thread::JoinHandle<()> {
    let (victim, ledger) = (victim.clone(), ledger.clone());
    thread::spawn(move || {
        let mine = RunQueue::starting_at(START);
        for _ in 0..steals {
            ledger.steal(&victim, &mine, Runnext::Leave);
        }
    })
}

fn world(items: usize) -> (Arc<RunQueue<Num>>, Arc<Ledger>) {
    (
        Arc::new(RunQueue::starting_at(START)),
        Arc::new(Ledger::new(items)),
    )
}

/// The owner puts three and takes two while a thief takes half twice.
fn one_thief() {
    explore(|| {
        let (queue, ledger) = world(3);
        let thief = thief(&queue, &ledger, 2);
        (0..3).for_each(|item| put(&queue, &ledger, item));
        ledger.run(&queue, 2);
        thief.join().expect("the thief ends");
        ledger.settle(&queue);
    });
}

/// Two thieves and the owner want the same items.
fn two_thieves() {
    explore(|| {
        let (queue, ledger) = world(3);
        (0..2).for_each(|item| put(&queue, &ledger, item));
        let thieves = [thief(&queue, &ledger, 1), thief(&queue, &ledger, 1)];
        put(&queue, &ledger, 2);
        ledger.run(&queue, 1);
        for thief in thieves {
            thief.join().expect("the thief ends");
        }
        ledger.settle(&queue);
    });
}

/// One item more than the ring holds, while two thieves make room or not.
fn overflow() {
    explore(|| {
        let items = RING as usize + 1;
        let (queue, ledger) = world(items);
        (0..items - 1).for_each(|item| put(&queue, &ledger, item));
        let thieves = [thief(&queue, &ledger, 1), thief(&queue, &ledger, 1)];
        put(&queue, &ledger, items - 1);
        for thief in thieves {
            thief.join().expect("the thief ends");
        }
        ledger.settle(&queue);
    });
}

/// A batch is published at once, beside a thief.
fn batch() {
    explore(|| {
        let (queue, ledger) = world(3);
        let thief = thief(&queue, &ledger, 2);
        let mut items = (0..3).map(|item| ledger.make(item));
        queue.put_batch(&mut items);
        assert!(items.next().is_none(), "the ring has room for three");
        ledger.run(&queue, 1);
        thief.join().expect("the thief ends");
        ledger.settle(&queue);
    });
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        "each_g_once": one_thief, two_thieves, overflow, batch;
        catches_indices_that_must_not_wrap: Mutant::PlainLength, overflow, "";
        catches_an_unclaimed_overflow: Mutant::OverflowUnclaimed, overflow, "";
        catches_a_copy_after_the_claim: Mutant::CopyAfterClaim, overflow, ""
    }
}
