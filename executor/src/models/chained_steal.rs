//! A thief is robbed of what it has just stolen (L5): each item is delivered
//! once, and none is taken before it is there.

use std::sync::Arc;

use loom::thread;

use super::explore;
use super::items::Ledger;
use crate::runq::{RunQueue, Runnext};

fn robbed(steals: usize, robberies: usize) {
    explore(move || {
        let ledger = Arc::new(Ledger::new(4 * steals));
        let victim = RunQueue::starting_at(u32::MAX);
        let middle = Arc::new(RunQueue::starting_at(u32::MAX));
        let robber = thread::spawn({
            let (middle, ledger) = (middle.clone(), ledger.clone());
            move || {
                let mine = RunQueue::new();
                (0..robberies).for_each(|_| ledger.steal(&middle, &mine, Runnext::Leave));
            }
        });
        for steal in 0..steals {
            for item in 4 * steal..4 * (steal + 1) {
                assert!(
                    victim.put(ledger.make(item), false).is_ok(),
                    "four items fit"
                );
            }
            ledger.steal(&victim, &middle, Runnext::Leave);
            ledger.run(&victim, usize::MAX);
        }
        robber.join().expect("the robber ends");
        ledger.settle(&middle);
    });
}

fn a_thief_is_robbed() {
    robbed(1, 2);
}

/// The slots of the first loot carry the second.
fn a_thief_that_steals_twice_is_robbed() {
    robbed(2, 2);
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        "chained_steal": a_thief_is_robbed, a_thief_that_steals_twice_is_robbed;
        catches_a_tail_ahead_of_its_slots: Mutant::PublishBeforeCopy, a_thief_is_robbed,
            "read before it was written"
    }
}
