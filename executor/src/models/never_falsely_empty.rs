//! `RunQueue::is_empty` never says so while something is queued (T-14), though
//! the owner moves items from `runnext` to the ring and takes from both.

use std::sync::Arc;

use loom::thread;

use super::explore;
use super::items::{Ledger, Num};
use crate::runq::RunQueue;

fn looked_at(owner: fn(&RunQueue<Num>, &Ledger)) {
    explore(move || {
        let (queue, ledger) = (Arc::new(RunQueue::new()), Arc::new(Ledger::new(3)));
        wake(&queue, &ledger, 0, true);
        let observer = thread::spawn({
            let queue = queue.clone();
            move || {
                assert!(!queue.is_empty(), "empty with an item queued");
                assert!(!queue.is_empty(), "empty with an item queued");
            }
        });
        owner(&queue, &ledger);
        observer.join().expect("empty with an item queued");
        ledger.settle(&queue);
    });
}

fn wake(queue: &RunQueue<Num>, ledger: &Ledger, item: usize, next: bool) {
    assert!(
        queue.put(ledger.make(item), next).is_ok(),
        "the ring has room"
    );
}

/// The first item is kicked into the ring, and the one that kicked it is run.
fn kicked() {
    looked_at(|queue, ledger| {
        wake(queue, ledger, 1, true);
        ledger.run(queue, 1);
    });
}

/// The ring is emptied while something is in `runnext`, or the other way round.
fn to_and_fro() {
    looked_at(|queue, ledger| {
        wake(queue, ledger, 1, false);
        ledger.run(queue, 1);
        wake(queue, ledger, 2, false);
        ledger.run(queue, 1);
    });
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        "never_falsely_empty": kicked, to_and_fro;
        catches_a_single_look_at_the_tail: Mutant::EmptyAtOneLook, kicked,
            "empty with an item queued"
    }
}
