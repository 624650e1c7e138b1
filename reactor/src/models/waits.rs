//! A wait against what ends it: event, deadline, close, a cancelled neighbour.

use loom::thread;

use super::{Flag, models};
use crate::gate::Gate;
use crate::slot::{Park, Seat, Slot};
use crate::sync::{Arc, AtomicUsize, Fault, Ordering};

struct Lane {
    slot: Slot,
    gate: Gate,
    /// What the operation under test finds in the kernel.
    data: AtomicUsize,
}

fn lane() -> Arc<Lane> {
    Arc::new(Lane {
        slot: Slot::new(),
        gate: Gate::new(),
        data: AtomicUsize::new(0),
    })
}

impl Lane {
    fn event(&self) {
        let mut out = Vec::new();
        self.slot.set_ready(false, &mut out);
        out.into_iter().for_each(std::task::Waker::wake);
    }

    fn unblock(&self) {
        let mut out = Vec::new();
        self.slot.unblock(&mut out);
        out.into_iter().for_each(std::task::Waker::wake);
    }

    /// What `poll_io` does: true when it ended, false when it waits.
    fn poll(&self, waker: &std::task::Waker) -> bool {
        loop {
            if self.gate.check().is_err() {
                return true;
            }
            if let Some(seen) = self.slot.look() {
                // ord: Relaxed: the slot alone must order the data
                if self.data.load(Ordering::Relaxed) != 0 {
                    return true;
                }
                self.slot.clear(seen);
            }
            match self.slot.park(Seat::Polled, waker, &self.gate) {
                Ok(Park::Parked) => return false,
                Ok(Park::LookAgain) => {}
                Err(_) => return true,
            }
        }
    }
}

/// Test T-75: who waits is woken, whenever the event comes; who found the event
/// before the commit leaves no waker behind. Two tasks wait at once.
fn event_vs_park() {
    let lane = lane();
    lane.slot
        .clear(lane.slot.look().expect("a slot starts ready"));
    let event = thread::spawn({
        let lane = Arc::clone(&lane);
        move || lane.event()
    });
    let neighbour = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            let (flag, waker) = Flag::new();
            let mut key = None;
            (
                lane.slot.park(Seat::Listed(&mut key), &waker, &lane.gate),
                flag,
            )
        }
    });
    let (flag, waker) = Flag::new();
    let mine = lane.slot.park(Seat::Polled, &waker, &lane.gate);
    event.join().expect("the event's thread does not panic");
    let neighbour = neighbour.join().expect("the neighbour does not panic");
    for (parked, flag) in [(mine, flag), neighbour] {
        match parked.expect("the gate is open") {
            Park::Parked => assert_eq!(flag.wakes(), 1, "a waiter was not woken"),
            Park::LookAgain => assert_eq!(flag.wakes(), 0, "a task that goes on was queued"),
        }
    }
    assert!(lane.slot.look().is_some(), "readiness was lost");
    assert!(!lane.slot.has_waiter());
}

/// Data that comes while an operation finds none ends the wait after it; an
/// event without news comes before and after.
fn clear_vs_event() {
    let lane = lane();
    let (flag, waker) = Flag::new();
    let kernel = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            lane.event();
            lane.data.store(1, Ordering::Relaxed);
            lane.event();
            lane.event();
        }
    });
    let ended = lane.poll(&waker);
    kernel.join().expect("the event's thread does not panic");
    assert!(ended || flag.wakes() > 0, "a task sleeps over its data");
    assert!(lane.poll(&waker), "the woken task finds no data");
}

/// Two tasks use one direction; the event finds both, or the one that cleared.
fn two_tasks_vs_event() {
    let lane = lane();
    let kernel = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            lane.data.store(1, Ordering::Relaxed);
            lane.event();
        }
    });
    let wait = |lane: &Lane| {
        let (flag, waker) = Flag::new();
        let mut key = None;
        let ended = loop {
            match lane.slot.look() {
                Some(_) if lane.data.load(Ordering::Relaxed) != 0 => break true,
                Some(seen) => lane.slot.clear(seen),
                None => match lane.slot.park(Seat::Listed(&mut key), &waker, &lane.gate) {
                    Ok(Park::Parked) => break false,
                    Ok(Park::LookAgain) => {}
                    Err(stop) => panic!("{stop:?}"),
                },
            }
        };
        (ended, flag)
    };
    let other = thread::spawn({
        let lane = Arc::clone(&lane);
        move || wait(&lane)
    });
    let mine = wait(&lane);
    let other = other.join().expect("the other task does not panic");
    kernel.join().expect("the event's thread does not panic");
    for (ended, flag) in [mine, other] {
        assert!(ended || flag.wakes() > 0, "a task sleeps over its data");
    }
}

/// Closing (and a deadline, which does the same) against a wait: the waiter is
/// told or woken.
fn gate_vs_park() {
    let lane = lane();
    lane.slot
        .clear(lane.slot.look().expect("a slot starts ready"));
    let (flag, waker) = Flag::new();
    let closer = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            lane.gate.close();
            lane.unblock();
        }
    });
    let ended = lane.poll(&waker);
    closer.join().expect("the closer does not panic");
    assert!(
        ended || flag.wakes() > 0,
        "a task sleeps behind a closed gate"
    );
    assert!(
        !lane.slot.has_waiter(),
        "a waker stays behind a closed gate"
    );
}

/// A deadline in flight against its replacement and an event: the old number
/// stops nothing, the event is found.
fn stale_deadline() {
    let lane = lane();
    lane.slot
        .clear(lane.slot.look().expect("a slot starts ready"));
    let stale = lane.gate.set_deadline(false);
    let timer = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            if lane.gate.expire(stale) {
                lane.unblock();
            }
        }
    });
    let kernel = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            lane.data.store(1, Ordering::Relaxed);
            lane.event();
        }
    });
    let (flag, waker) = Flag::new();
    lane.gate.set_deadline(false);
    let ended = lane.poll(&waker);
    timer.join().expect("the timer does not panic");
    kernel.join().expect("the event's thread does not panic");
    assert_eq!(
        lane.gate.check(),
        Ok(()),
        "a replaced deadline stopped a wait"
    );
    assert!(ended || flag.wakes() > 0, "a task sleeps over its data");
}

/// A future that is dropped while the event comes takes its own seat only; a
/// task that comes at the same time is woken or goes on.
fn cancel_vs_event() {
    let lane = lane();
    lane.slot
        .clear(lane.slot.look().expect("a slot starts ready"));
    let (flag, waker) = Flag::new();
    let (_, cancelled) = Flag::new();
    let (mut stays, mut goes) = (None, None);
    for (key, waker) in [(&mut stays, &waker), (&mut goes, &cancelled)] {
        assert_eq!(
            lane.slot.park(Seat::Listed(key), waker, &lane.gate),
            Ok(Park::Parked)
        );
    }
    let event = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            lane.event();
            lane.event();
        }
    });
    let late = thread::spawn({
        let lane = Arc::clone(&lane);
        move || {
            let (late, waker) = Flag::new();
            (lane.slot.park(Seat::Polled, &waker, &lane.gate), late)
        }
    });
    lane.slot.stand_up(goes.expect("it had a seat"));
    event.join().expect("the event's thread does not panic");
    let (parked, late) = late.join().expect("the late task does not panic");
    assert_eq!(flag.wakes(), 1);
    assert_eq!(late.wakes(), usize::from(parked == Ok(Park::Parked)));
    assert_eq!(lane.slot.seats(), 1);
}

models! {
    t75_an_event_between_wait_and_commit_is_not_lost(None) => event_vs_park;
    #[should_panic]
    fault_parking_without_a_look_loses_the_event(Some(Fault::BlindPark)) => event_vs_park;
    data_after_a_vain_operation_ends_the_wait(None) => clear_vs_event;
    #[should_panic]
    fault_clearing_without_the_tick_loses_data(Some(Fault::BlindClear)) => clear_vs_event;
    no_task_sleeps_over_data_that_another_looked_for(None) => two_tasks_vs_event;
    #[should_panic]
    fault_clearing_without_the_tick_loses_anothers_data(Some(Fault::BlindClear)) => two_tasks_vs_event;
    nobody_sleeps_behind_a_closed_gate(None) => gate_vs_park;
    #[should_panic]
    fault_looking_at_the_gate_first_sleeps_behind_it(Some(Fault::GateBeforeWait)) => gate_vs_park;
    a_replaced_deadline_does_nothing(None) => stale_deadline;
    #[should_panic]
    fault_a_deadline_without_its_number_ends_the_wait(Some(Fault::AnySequence)) => stale_deadline;
    a_cancelled_wait_takes_its_own_seat_only(None) => cancel_vs_event;
    #[should_panic]
    fault_parking_without_a_look_loses_a_late_task(Some(Fault::BlindPark)) => cancel_vs_event;
}
