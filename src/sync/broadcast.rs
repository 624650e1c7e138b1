//! Every value to every receiver.
//!
//! The channel keeps the latest values, up to its capacity. A sender never waits:
//! where a receiver is slow, the oldest value goes, and that receiver is told how
//! many it has missed.
//!
//! ```
//! use gmp::sync::broadcast;
//!
//! # gmp::block_on(async {
//! let (tx, mut one) = broadcast::channel(16);
//! let mut two = tx.subscribe();
//! tx.send("to all").expect("two receivers");
//! assert_eq!(one.recv().await, Ok("to all"));
//! assert_eq!(two.recv().await, Ok("to all"));
//! # });
//! ```

pub mod error;
mod receiver;
mod sender;
mod weak;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

pub use self::error::{RecvError, SendError, TryRecvError};
pub use self::receiver::Receiver;
pub use self::sender::Sender;
pub use self::weak::WeakSender;

use super::waiters::{Waiters, Wakers};

/// A channel that keeps the latest `capacity` values, and its first receiver.
///
/// The values are shared between threads until each receiver has its clone, hence
/// `T: Sync` where the ends go to other threads.
///
/// # Panics
/// If `capacity` is 0.
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(capacity);
    let receiver = sender.subscribe();
    (sender, receiver)
}

type Shared<T> = Mutex<State<T>>;

/// Values are numbered from 0; the ring keeps those from `first` on.
#[derive(Debug)]
struct State<T> {
    ring: VecDeque<Slot<T>>,
    first: u64,
    capacity: usize,
    senders: usize,
    receivers: usize,
    waiters: Waiters<()>,
    /// Who waits until there is no receiver.
    leaving: Waiters<()>,
}

/// Invariant: `left` receivers have a `next` that is not beyond this slot.
#[derive(Debug)]
struct Slot<T> {
    value: Arc<T>,
    left: usize,
}

/// What the ring no longer keeps; dropped after the lock.
type Remains<T> = Vec<Slot<T>>;

/// What a receiver finds.
enum Found<T> {
    Value(Arc<T>, Remains<T>),
    Lagged(u64),
    Closed,
    Empty,
}

impl<T> State<T> {
    /// The number of the next value.
    fn end(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    /// Where the value of this number is, if it was sent and is still kept.
    fn slot(&mut self, number: u64) -> Option<&mut Slot<T>> {
        let index = number.checked_sub(self.first)?;
        self.ring.get_mut(usize::try_from(index).ok()?)
    }

    fn push(&mut self, value: Arc<T>) -> Option<Slot<T>> {
        let oldest = match self.ring.len() < self.capacity {
            true => None,
            false => {
                self.first += 1;
                self.ring.pop_front()
            }
        };
        self.ring.push_back(Slot {
            value,
            left: self.receivers,
        });
        oldest
    }

    fn take(&mut self, next: &mut u64) -> Found<T> {
        if let Some(missed @ 1..) = self.first.checked_sub(*next) {
            *next = self.first;
            return Found::Lagged(missed);
        }
        let Some(slot) = self.slot(*next) else {
            return match self.senders {
                0 => Found::Closed,
                _ => Found::Empty,
            };
        };
        slot.left -= 1;
        let value = slot.value.clone();
        *next += 1;
        Found::Value(value, self.sweep())
    }

    /// Takes out what every receiver has seen.
    fn sweep(&mut self) -> Remains<T> {
        let seen = self.ring.iter().take_while(|slot| slot.left == 0).count();
        self.first += seen as u64;
        self.ring.drain(..seen).collect()
    }

    /// A receiver that has seen everything before `next` goes away.
    fn leave(&mut self, next: u64) -> (Remains<T>, Wakers) {
        self.receivers -= 1;
        let wakers = match self.receivers {
            0 => self.leaving.pop_all(),
            _ => Wakers::default(),
        };
        for number in next.max(self.first)..self.end() {
            if let Some(slot) = self.slot(number) {
                slot.left -= 1;
            }
        }
        (self.sweep(), wakers)
    }
}
