//! Channel, wait group and mutex that wake as Go's do, with nothing of gmp's own in them.
//!
//! They make a recorded program's waits into plain parks and wakes of tasks, so a replay depends
//! on the scheduler alone. Invariants:
//!
//! - An operation that can complete at once does so in its first poll.
//! - A parked channel operation or wait is completed by the other side; its next poll only fetches
//!   the outcome. A parked locker is woken to try again, because Go's mutex lets others barge in.
//! - Every wake goes through [`Waker::wake`], after the structure's lock is released.
//!
//! Each structure has a lock so that its futures are `Send`; with one P it is never contended.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex as Lock, MutexGuard};
use std::task::{Context, Poll, Waker};

/// A use that ends a Go program, and so has no place in a recorded one.
#[derive(Debug)]
pub(crate) struct Misuse(pub(crate) &'static str);

fn guard<T>(lock: &Lock<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("no panic happens under this lock")
}

// ---- a parked operation ----

enum Slot<T> {
    Parked(Waker),
    Completed(T),
    Fetched,
}

/// The meeting point of a parked operation and the task that completes it.
struct Ticket<T>(Lock<Slot<T>>);

impl<T> Ticket<T> {
    fn park(cx: &Context<'_>) -> Arc<Self> {
        Arc::new(Ticket(Lock::new(Slot::Parked(cx.waker().clone()))))
    }

    /// Leaves the outcome; gives the waker that the caller owes a wake.
    #[must_use]
    fn complete(&self, outcome: T) -> Waker {
        match mem::replace(&mut *guard(&self.0), Slot::Completed(outcome)) {
            Slot::Parked(waker) => waker,
            Slot::Completed(_) | Slot::Fetched => unreachable!("a ticket leaves its queue once"),
        }
    }

    fn fetch(&self, cx: &Context<'_>) -> Poll<T> {
        let mut slot = guard(&self.0);
        match mem::replace(&mut *slot, Slot::Fetched) {
            Slot::Completed(outcome) => Poll::Ready(outcome),
            Slot::Parked(_) => {
                *slot = Slot::Parked(cx.waker().clone());
                Poll::Pending
            }
            Slot::Fetched => unreachable!("a future is not polled after it is ready"),
        }
    }
}

// ---- channel ----

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The value is in the buffer or with a receiver.
    Yes,
    /// The channel is closed.
    Closed,
}

#[derive(Default)]
struct ChanState {
    buffer: VecDeque<i64>,
    closed: bool,
    receivers: VecDeque<Arc<Ticket<Option<i64>>>>,
    senders: VecDeque<(i64, Arc<Ticket<Sent>>)>,
}

/// A channel of integers with room for `capacity` of them; 0 is a rendezvous.
pub(crate) struct Chan {
    capacity: usize,
    state: Lock<ChanState>,
}

impl ChanState {
    /// The outcome if the send need not park, with the receiver it readies.
    fn send(&mut self, capacity: usize, value: i64) -> Option<(Sent, Option<Waker>)> {
        if self.closed {
            return Some((Sent::Closed, None));
        }
        if let Some(receiver) = self.receivers.pop_front() {
            return Some((Sent::Yes, Some(receiver.complete(Some(value)))));
        }
        if self.buffer.len() < capacity {
            self.buffer.push_back(value);
            return Some((Sent::Yes, None));
        }
        None
    }

    /// The outcome if the receive need not park, with the sender it readies.
    fn recv(&mut self) -> Option<(Option<i64>, Option<Waker>)> {
        if let Some((sent, sender)) = self.senders.pop_front() {
            // A sender parks behind a full buffer only: its value takes the place that gets free.
            let value = match self.buffer.pop_front() {
                Some(oldest) => {
                    self.buffer.push_back(sent);
                    oldest
                }
                None => sent,
            };
            return Some((Some(value), Some(sender.complete(Sent::Yes))));
        }
        if let Some(value) = self.buffer.pop_front() {
            return Some((Some(value), None));
        }
        self.closed.then_some((None, None))
    }
}

impl Chan {
    pub(crate) fn new(capacity: usize) -> Self {
        Chan {
            capacity,
            state: Lock::default(),
        }
    }

    /// Sends, or parks until a receiver takes the value or the channel is closed.
    pub(crate) fn send(&self, value: i64) -> Send<'_> {
        Send {
            chan: self,
            value,
            parked: None,
        }
    }

    /// Receives, or parks until a value comes; `None` once closed and empty.
    pub(crate) fn recv(&self) -> Recv<'_> {
        Recv {
            chan: self,
            parked: None,
        }
    }

    /// Sends if that needs no wait; `None` if it would.
    pub(crate) fn try_send(&self, value: i64) -> Option<Sent> {
        let outcome = guard(&self.state).send(self.capacity, value);
        outcome.map(woken)
    }

    /// Receives if that needs no wait; `None` if it would.
    pub(crate) fn try_recv(&self) -> Option<Option<i64>> {
        let outcome = guard(&self.state).recv();
        outcome.map(woken)
    }

    /// Closes, and readies all that are parked here, the last one first. False if it was closed.
    pub(crate) fn close(&self) -> bool {
        let mut state = guard(&self.state);
        if mem::replace(&mut state.closed, true) {
            return false;
        }
        let receivers = mem::take(&mut state.receivers);
        let senders = mem::take(&mut state.senders);
        drop(state);
        let receivers = receivers.iter().map(|r| r.complete(None));
        let senders = senders.iter().map(|(_, s)| s.complete(Sent::Closed));
        let parked: Vec<Waker> = receivers.chain(senders).collect();
        parked.into_iter().rev().for_each(Waker::wake);
        true
    }
}

/// Wakes the other side, now that the channel's lock is released.
fn woken<T>((outcome, other): (T, Option<Waker>)) -> T {
    if let Some(waker) = other {
        waker.wake();
    }
    outcome
}

/// See [`Chan::send`].
pub(crate) struct Send<'a> {
    chan: &'a Chan,
    value: i64,
    parked: Option<Arc<Ticket<Sent>>>,
}

impl Future for Send<'_> {
    type Output = Sent;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent> {
        if let Some(ticket) = &self.parked {
            return ticket.fetch(cx);
        }
        let mut state = guard(&self.chan.state);
        if let Some(outcome) = state.send(self.chan.capacity, self.value) {
            drop(state);
            return Poll::Ready(woken(outcome));
        }
        let ticket = Ticket::park(cx);
        state.senders.push_back((self.value, Arc::clone(&ticket)));
        drop(state);
        self.parked = Some(ticket);
        Poll::Pending
    }
}

/// See [`Chan::recv`].
pub(crate) struct Recv<'a> {
    chan: &'a Chan,
    parked: Option<Arc<Ticket<Option<i64>>>>,
}

impl Future for Recv<'_> {
    type Output = Option<i64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<i64>> {
        if let Some(ticket) = &self.parked {
            return ticket.fetch(cx);
        }
        let mut state = guard(&self.chan.state);
        if let Some(outcome) = state.recv() {
            drop(state);
            return Poll::Ready(woken(outcome));
        }
        let ticket = Ticket::park(cx);
        state.receivers.push_back(Arc::clone(&ticket));
        drop(state);
        self.parked = Some(ticket);
        Poll::Pending
    }
}

// ---- wait group ----

#[derive(Default)]
struct WaitGroupState {
    count: i64,
    waiters: VecDeque<Arc<Ticket<()>>>,
}

/// A counter whose waiters are readied, the first one first, when it comes to 0.
#[derive(Default)]
pub(crate) struct WaitGroup(Lock<WaitGroupState>);

impl WaitGroup {
    pub(crate) fn add(&self, delta: i64) -> Result<(), Misuse> {
        let mut state = guard(&self.0);
        state.count += delta;
        if state.count < 0 {
            return Err(Misuse("the counter of a wait group is negative"));
        }
        if state.count > 0 {
            return Ok(());
        }
        let waiters = mem::take(&mut state.waiters);
        drop(state);
        for waiter in waiters {
            waiter.complete(()).wake();
        }
        Ok(())
    }

    /// Ready when the counter is, or next becomes, 0.
    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait {
            group: self,
            parked: None,
        }
    }
}

/// See [`WaitGroup::wait`].
pub(crate) struct Wait<'a> {
    group: &'a WaitGroup,
    parked: Option<Arc<Ticket<()>>>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(ticket) = &self.parked {
            return ticket.fetch(cx);
        }
        let mut state = guard(&self.group.0);
        if state.count == 0 {
            return Poll::Ready(());
        }
        let ticket = Ticket::park(cx);
        state.waiters.push_back(Arc::clone(&ticket));
        drop(state);
        self.parked = Some(ticket);
        Poll::Pending
    }
}

// ---- mutex ----

/// Go's word and its semaphore. They are two things on purpose: a locker that comes between the
/// wake of a waiter and its run can take the permit meant for it.
#[derive(Default)]
struct MutexState {
    locked: bool,
    /// A woken waiter is on its way, so an unlock need not wake another.
    woken: bool,
    /// Lockers that wait or are about to: the woken one is no longer among them.
    waiting: usize,
    permits: usize,
    queue: VecDeque<Arc<Ticket<()>>>,
}

/// A mutex that whoever comes first gets, in Go's normal mode (no starvation by the clock).
#[derive(Default)]
pub(crate) struct Mutex(Lock<MutexState>);

impl Mutex {
    /// Ready once the caller has the lock.
    pub(crate) fn lock(&self) -> Acquire<'_> {
        Acquire {
            mutex: self,
            has_waited: false,
            awoke: false,
            to_head: false,
            parked: None,
        }
    }

    /// Frees the lock and, if no other woken one is on its way, readies the first waiter.
    pub(crate) fn unlock(&self) -> Result<(), Misuse> {
        let mut state = guard(&self.0);
        if !mem::replace(&mut state.locked, false) {
            return Err(Misuse("unlock of a mutex that is not locked"));
        }
        if state.waiting == 0 || state.woken {
            return Ok(());
        }
        state.waiting -= 1;
        state.woken = true;
        state.permits += 1;
        let first = state.queue.pop_front();
        drop(state);
        if let Some(waiter) = first {
            waiter.complete(()).wake();
        }
        Ok(())
    }
}

/// See [`Mutex::lock`].
pub(crate) struct Acquire<'a> {
    mutex: &'a Mutex,
    /// It went to the semaphore before: from now on it queues at the head.
    has_waited: bool,
    /// It holds the `woken` flag and gives it back at its next look at the word.
    awoke: bool,
    /// Where it queued last; it goes to the same end if its permit was taken.
    to_head: bool,
    parked: Option<Arc<Ticket<()>>>,
}

impl Future for Acquire<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut at_semaphore = match &self.parked {
            Some(ticket) => {
                if ticket.fetch(cx).is_pending() {
                    return Poll::Pending;
                }
                true
            }
            None => false,
        };
        self.parked = None;
        let mut state = guard(&self.mutex.0);
        loop {
            if !at_semaphore {
                if self.awoke {
                    state.woken = false;
                }
                if !mem::replace(&mut state.locked, true) {
                    return Poll::Ready(());
                }
                state.waiting += 1;
                self.to_head = mem::replace(&mut self.has_waited, true);
            }
            if state.permits == 0 {
                let ticket = Ticket::park(cx);
                if self.to_head {
                    state.queue.push_front(Arc::clone(&ticket));
                } else {
                    state.queue.push_back(Arc::clone(&ticket));
                }
                drop(state);
                self.parked = Some(ticket);
                return Poll::Pending;
            }
            state.permits -= 1;
            self.awoke = true;
            at_semaphore = false;
        }
    }
}
