//! The end where values go in.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex};

use gmp_executor::WaitReason;

use super::error::SendError;
use super::receiver::Receiver;
use super::{Shared, State};
use crate::sync::wait::Wait;
use crate::sync::waiters::{Waiters, Wakers, lock};

/// Sends to every receiver. When the last sender is gone, receivers get what is
/// left and then find that out.
///
/// ```
/// let tx = gmp::sync::broadcast::Sender::new(8);
/// assert!(tx.send(1).is_err(), "nobody listens");
/// let mut rx = tx.subscribe();
/// assert_eq!(tx.send(2), Ok(1));
/// assert_eq!(rx.try_recv(), Ok(2));
/// ```
pub struct Sender<T> {
    pub(super) shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// A channel that keeps the latest `capacity` values, without a receiver.
    ///
    /// # Panics
    /// If `capacity` is 0.
    #[track_caller]
    pub fn new(capacity: usize) -> Sender<T> {
        assert!(capacity > 0, "a broadcast channel keeps at least one value");
        Sender {
            shared: Arc::new(Mutex::new(State {
                ring: VecDeque::new(),
                first: 0,
                capacity,
                senders: 1,
                receivers: 0,
                waiters: Waiters::new(),
                leaving: Waiters::new(),
            })),
        }
    }

    /// Sends `value` to every receiver there is; never waits. Returns how many
    /// there are, though each may yet miss it.
    ///
    /// # Errors
    /// With the value, if there is no receiver.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let value = Arc::new(value);
        let mut state = lock(&self.shared);
        if state.receivers == 0 {
            drop(state);
            let value = Arc::into_inner(value).expect("nobody has it yet");
            return Err(SendError(value));
        }
        let receivers = state.receivers;
        let oldest = state.push(value);
        let wakers = state.waiters.pop_all();
        drop(state);
        wakers.wake();
        drop(oldest);
        Ok(receivers)
    }

    /// A new receiver of what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::join(&self.shared)
    }

    /// How many values are kept: those that some receiver has not got yet.
    pub fn len(&self) -> usize {
        lock(&self.shared).ring.len()
    }

    /// Whether every receiver has got everything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        lock(&self.shared).receivers
    }

    /// Waits until there is no receiver. Another one may subscribe later.
    ///
    /// # Cancel safety
    /// Yes.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, rx) = gmp::sync::broadcast::channel::<u32>(1);
    /// drop(rx);
    /// tx.closed().await;
    /// # });
    /// ```
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = ()> {
        Wait {
            state: &*self.shared,
            queue: |state| &mut state.leaving,
            look: |state: &mut State<T>, _| (state.receivers == 0).then(|| ((), Wakers::default())),
            reason: WaitReason::ChanSend,
            location: Location::caller(),
            place: None,
        }
    }

    /// Whether both send into the same channel.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        lock(&self.shared).senders += 1;
        Sender {
            shared: self.shared.clone(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.senders -= 1;
        let wakers = match state.senders {
            0 => state.waiters.pop_all(),
            _ => Wakers::default(),
        };
        drop(state);
        wakers.wake();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("receivers", &self.receiver_count())
            .finish()
    }
}
