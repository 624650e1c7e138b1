//! A break against a poll that blocks and one that does not (T-79).

use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::models;
use crate::breaker::{Breaker, Enter};
use crate::sync::{Arc, AtomicUsize, Fault, Ordering};

/// The kernel's side: one pending edge at most, taken by whoever comes first.
struct Kernel {
    edge: Mutex<bool>,
    more: Condvar,
    writes: AtomicUsize,
}

struct World {
    breaker: Breaker,
    kernel: Kernel,
    work: AtomicUsize,
}

fn world() -> Arc<World> {
    Arc::new(World {
        breaker: Breaker::new(),
        kernel: Kernel {
            edge: Mutex::new(false),
            more: Condvar::new(),
            writes: AtomicUsize::new(0),
        },
        work: AtomicUsize::new(0),
    })
}

impl World {
    fn write(&self) {
        self.kernel.writes.fetch_add(1, Ordering::Relaxed);
        *self.kernel.edge.lock().expect("no poison") = true;
        self.kernel.more.notify_one();
    }

    fn wake(&self) {
        if self.breaker.request() {
            self.write();
        }
    }

    fn publish_and_wake(&self) {
        // ord: Relaxed: the break alone must order the work
        self.work.fetch_add(1, Ordering::Relaxed);
        self.wake();
    }

    /// A poll without time-out; what is not woken deadlocks the model.
    fn poll_blocking(&self) -> bool {
        match self.breaker.enter() {
            Enter::Return => std::mem::take(&mut *self.kernel.edge.lock().expect("no poison")),
            Enter::Block => {
                let mut edge = self.kernel.edge.lock().expect("no poison");
                while !*edge {
                    edge = self.kernel.more.wait(edge).expect("no poison");
                }
                *edge = false;
                true
            }
        }
    }

    fn poll_without_blocking(&self) {
        let harvested = std::mem::take(&mut *self.kernel.edge.lock().expect("no poison"));
        if harvested && self.breaker.overheard() {
            self.write();
        }
    }

    /// The executor's loop: look for work, else block; `late` clears the flag
    /// after the look instead of before.
    fn run_until(&self, work: usize, late: bool) {
        let mut pending = None;
        while self.work.load(Ordering::Relaxed) < work {
            if let Some(harvested) = pending.take() {
                self.breaker.leave(harvested);
            }
            let harvested = self.poll_blocking();
            if late {
                pending = Some(harvested);
            } else {
                self.breaker.leave(harvested);
            }
        }
    }
}

fn no_break_is_lost(late: bool) {
    let world = world();
    let wakers = [(), ()].map(|()| {
        let world = Arc::clone(&world);
        thread::spawn(move || world.publish_and_wake())
    });
    world.run_until(2, late);
    for waker in wakers {
        waker.join().expect("the waker does not panic");
    }
    assert!(world.kernel.writes.load(Ordering::Relaxed) <= 2);
}

/// A third thread polls without blocking and may meet the event first.
fn no_break_is_swallowed() {
    let world = world();
    let waker = thread::spawn({
        let world = Arc::clone(&world);
        move || world.publish_and_wake()
    });
    let other = thread::spawn({
        let world = Arc::clone(&world);
        move || world.poll_without_blocking()
    });
    world.run_until(1, false);
    waker.join().expect("the waker does not panic");
    other.join().expect("the other poll does not panic");
}

/// Two wakers before anybody polls send one event.
fn one_write_for_two_breaks() {
    let world = world();
    let other = thread::spawn({
        let world = Arc::clone(&world);
        move || world.wake()
    });
    world.wake();
    other.join().expect("the waker does not panic");
    assert_eq!(world.kernel.writes.load(Ordering::Relaxed), 1);
}

#[test]
fn two_breaks_make_one_write() {
    // Too small for the usual floor: two read-modify-writes in either order.
    loom::model(one_write_for_two_breaks);
}

models! {
    a_blocked_poll_sees_all_work_behind_a_break(None) => || no_break_is_lost(false);
    #[should_panic]
    fault_clearing_after_the_look_loses_a_break(None) => || no_break_is_lost(true);
    a_break_met_by_another_poll_reaches_the_blocked_one(None) => no_break_is_swallowed;
    #[should_panic]
    fault_swallowing_a_break_blocks_for_ever(Some(Fault::SwallowBreak)) => no_break_is_swallowed;
}
