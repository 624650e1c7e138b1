//! An event of a descriptor that is gone against the reuse of its entry.

use loom::thread;

use super::{Flag, models};
use crate::gate::Gate;
use crate::keys::Table;
use crate::slot::{Park, Seat, Slot};
use crate::sync::{Arc, Fault, Lock};

fn event_vs_reuse() {
    let table = Arc::new(Lock::new(Table::new()));
    let insert = || {
        let slot = Arc::new(Slot::new());
        let mut key = 0;
        table.lock().insert(|made| {
            key = made;
            Arc::clone(&slot)
        });
        (key, slot)
    };
    let (old, _) = insert();
    let late = || {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            for _ in 0..3 {
                if let Some(slot) = table.lock().get(old) {
                    let mut out = Vec::new();
                    slot.set_ready(false, &mut out);
                    out.into_iter().for_each(std::task::Waker::wake);
                }
            }
        })
    };
    let events = [late(), late()];
    let removed = table.lock().remove(old);
    drop(removed);
    let (new, slot) = insert();
    assert_ne!(old, new);
    slot.clear(slot.look().expect("a slot starts ready"));
    let (flag, waker) = Flag::new();
    let parked = slot.park(Seat::Polled, &waker, &Gate::new());
    assert_eq!(
        parked,
        Ok(Park::Parked),
        "an old event reached the new descriptor"
    );
    for event in events {
        event.join().expect("the event's thread does not panic");
    }
    assert_eq!(flag.wakes(), 0, "an old event woke the new waiter");
    assert!(
        slot.look().is_none(),
        "an old event reached the new descriptor"
    );
}

models! {
    an_old_event_does_not_reach_a_new_descriptor(None) => event_vs_reuse;
    #[should_panic]
    fault_finding_by_index_alone_reaches_it(Some(Fault::AnyGeneration)) => event_vs_reuse;
}
