//! What is in `runnext` is run once (L-2, L4, T-22): by the owner, by a thief that
//! backed off first, or out of the ring where the next wake kicked it.

use std::sync::Arc;

use loom::thread;

use super::explore;
use super::items::{Ledger, Num};
use crate::runq::{Grab, RunQueue, Runnext};

fn world() -> (Arc<RunQueue<Num>>, Arc<Ledger>) {
    (Arc::new(RunQueue::new()), Arc::new(Ledger::new(3)))
}

fn wake(queue: &RunQueue<Num>, ledger: &Ledger, item: usize) {
    assert!(
        queue.put(ledger.make(item), true).is_ok(),
        "the ring has room"
    );
}

/// The owner is woken three times and runs two while a thief takes `runnext`.
fn kicked_or_stolen() {
    explore(|| {
        let (queue, ledger) = world();
        let thief = thread::spawn({
            let (queue, ledger) = (queue.clone(), ledger.clone());
            move || ledger.steal(&queue, &RunQueue::new(), Runnext::Take)
        });
        (0..3).for_each(|item| wake(&queue, &ledger, item));
        ledger.run(&queue, 2);
        thief.join().expect("the thief ends");
        ledger.settle(&queue);
    });
}

/// The owner comes back to its `runnext` while the thief backs off (T-22).
fn taken_back_during_the_pause() {
    explore(|| {
        let (queue, ledger) = world();
        wake(&queue, &ledger, 0);
        let thief = thread::spawn({
            let (queue, ledger) = (queue.clone(), ledger.clone());
            move || {
                let mine = RunQueue::new();
                match queue.grab_into(&mine, Runnext::Ask) {
                    Grab::Got(item) => ledger.deliver(item),
                    Grab::OnlyRunnext => ledger.steal(&queue, &mine, Runnext::Take),
                    Grab::Nothing => {}
                }
                ledger.run(&mine, usize::MAX);
            }
        });
        ledger.run(&queue, 1);
        (1..3).for_each(|item| wake(&queue, &ledger, item));
        ledger.run(&queue, 1);
        thief.join().expect("the thief ends");
        ledger.settle(&queue);
    });
}

mod tests {
    use crate::mutant::Mutant;

    crate::models::models! {
        "runnext_once": kicked_or_stolen, taken_back_during_the_pause;
        catches_a_kick_by_load_and_store: Mutant::KickByLoadAndStore, kicked_or_stolen, ""
    }
}
