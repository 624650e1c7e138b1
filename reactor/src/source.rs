//! One registered descriptor (Go's pollDesc) and the operations that wait.
//!
//! An operation is tried first, while the direction is thought ready, and waits
//! only after the system said "would block". The ready path is two loads and
//! the system call; only a waiter takes a lock, its own direction's.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use crate::gate::{Gate, Stop};
use crate::reactor::Reactor;
use crate::slot::{Park, Seat, Slot};
use crate::sync::{Arc, Lock};
use crate::sys::{Fd, Happened, Poller};
use crate::wakers::{wake_all, wake_all_or_unwind};

/// Which of a descriptor's two directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Reading, receiving, accepting.
    Read,
    /// Writing, sending, the end of connecting.
    Write,
}

/// What an operation that succeeded says about the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drained {
    /// Nothing is known: the next operation is tried at once.
    No,
    /// The buffer is empty (after a read) or full (after a write), so the next
    /// operation waits for an event without being tried. Right for a short
    /// read or write on a plain stream socket; never say so for a source of
    /// unknown kind, for a datagram socket or after an accept. A hang-up that
    /// the system has announced is still found.
    Yes,
}

/// What the table holds and a [`Source`] shares: the descriptor's key and its
/// two directions.
#[derive(Debug)]
pub(crate) struct Desc {
    key: usize,
    fd: Fd,
    read: Lane,
    write: Lane,
    /// For pollers without edges: whether the registration is there, held while
    /// it is changed. A re-arm must not hit the next owner of the number.
    armed: Lock<bool>,
}

#[derive(Debug)]
struct Lane {
    gate: Gate,
    slot: Slot,
}

impl Lane {
    fn new() -> Self {
        Self {
            gate: Gate::new(),
            slot: Slot::new(),
        }
    }
}

impl Desc {
    pub(crate) fn new(key: usize, fd: Fd) -> Self {
        Self {
            key,
            fd,
            read: Lane::new(),
            write: Lane::new(),
            armed: Lock::new(false),
        }
    }

    pub(crate) fn key(&self) -> usize {
        self.key
    }

    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    /// Registers with the system.
    pub(crate) fn add_to(&self, poller: &Poller) -> io::Result<()> {
        let mut armed = self.armed.lock();
        poller.add(&self.fd, self.key)?;
        *armed = true;
        Ok(())
    }

    /// An event: the wakers of one descriptor go out reader first (T-73).
    pub(crate) fn deliver(&self, happened: Happened, out: &mut Vec<Waker>) {
        self.read.gate.set_event_error(happened.error_only);
        if happened.read {
            self.read.slot.set_ready(happened.hup, out);
        }
        if happened.write {
            self.write.slot.set_ready(happened.hup, out);
        }
    }

    /// Asks a poller without edges for the events that somebody waits for.
    pub(crate) fn arm(&self, poller: &Poller) -> io::Result<()> {
        let armed = self.armed.lock();
        let read = self.read.slot.may_have_waiter();
        let write = self.write.slot.may_have_waiter();
        if *armed && (read || write) {
            poller.arm(&self.fd, self.key, read, write)?;
        }
        Ok(())
    }

    /// No wait goes on from here; who waited goes to `out`.
    pub(crate) fn close(&self, out: &mut Vec<Waker>) {
        for lane in [&self.read, &self.write] {
            lane.gate.close();
            lane.slot.unblock(out);
        }
    }

    fn expire(&self, dir: Direction, seq: u64) {
        if self.lane(dir).gate.expire(seq) {
            self.unblock(dir);
        }
    }

    fn unblock(&self, dir: Direction) {
        let mut wakers = Vec::new();
        self.lane(dir).slot.unblock(&mut wakers);
        wake_all_or_unwind(wakers);
    }

    /// How many directions have a waker.
    pub(crate) fn waiters(&self) -> usize {
        [&self.read, &self.write]
            .into_iter()
            .filter(|lane| lane.slot.has_waiter())
            .count()
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn seats(&self) -> usize {
        self.read.slot.seats() + self.write.slot.seats()
    }
}

/// The registration of one descriptor with a [`Reactor`]. Both directions start
/// ready: the first operation of each is tried without waiting for an event.
///
/// Dropping it takes the descriptor out of the reactor (an error of the system
/// is ignored) and wakes whoever waits. The descriptor itself is not closed:
/// [`Registered`](crate::Registered) keeps the two together in the right order.
pub struct Source {
    reactor: Arc<Reactor>,
    desc: Arc<Desc>,
}

impl Source {
    pub(crate) fn new(reactor: Arc<Reactor>, desc: Arc<Desc>) -> Self {
        Self { reactor, desc }
    }

    /// The result of `op` as soon as it has one that is not "would block".
    ///
    /// `op` runs at once if the direction is ready; otherwise, and after each
    /// `WouldBlock`, the task waits for an event. `Interrupted` is retried.
    /// Each direction has one seat for this function and
    /// [`poll_ready`](Self::poll_ready) together: of several tasks that call
    /// them, the last is woken. Tasks that share a direction use
    /// [`ready`](Self::ready) or [`io`](Self::io).
    ///
    /// # Errors
    /// Those of `op`, `TimedOut` when the direction's deadline has passed
    /// (then `op` does not run), an error of kind `Other` after
    /// [`Reactor::close`], or where it would have to wait in a child of fork for a
    /// descriptor of its parent.
    pub fn poll_io<R>(
        &self,
        dir: Direction,
        cx: &mut Context<'_>,
        mut op: impl FnMut() -> io::Result<(R, Drained)>,
    ) -> Poll<io::Result<R>> {
        loop {
            match self.try_io(dir, &mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => return Poll::Ready(result),
            }
            if let Err(error) = ready!(self.poll_park(dir, Seat::Polled, cx)) {
                return Poll::Ready(Err(error));
            }
        }
    }

    /// The result of `op`, run once, if the direction is thought ready.
    ///
    /// # Errors
    /// `WouldBlock` when it is not ready (`op` does not run) or when `op` says
    /// so; else as [`poll_io`](Self::poll_io). `Interrupted` comes back as it is.
    pub fn try_io<R>(
        &self,
        dir: Direction,
        op: impl FnOnce() -> io::Result<(R, Drained)>,
    ) -> io::Result<R> {
        let lane = self.desc.lane(dir);
        lane.gate.check()?;
        let Some(seen) = lane.slot.look() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        match op() {
            Ok((value, Drained::No)) => Ok(value),
            Ok((value, Drained::Yes)) => {
                lane.slot.drained(seen);
                Ok(value)
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    lane.slot.clear(seen);
                }
                Err(error)
            }
        }
    }

    /// [`poll_io`](Self::poll_io) as a future with a seat of its own: any
    /// number of tasks may wait on one direction.
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    /// Dropping the future leaves no waker behind; `op` has then not succeeded.
    pub async fn io<R>(
        &self,
        dir: Direction,
        mut op: impl FnMut() -> io::Result<(R, Drained)>,
    ) -> io::Result<R> {
        loop {
            match self.try_io(dir, &mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready(dir).await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Ready when the direction is thought ready, which it stays until an
    /// operation says "would block". The seat is the one of
    /// [`poll_io`](Self::poll_io).
    ///
    /// # Errors
    /// `TimedOut` when the direction's deadline has passed, an error of kind
    /// `Other` after [`Reactor::close`].
    pub fn poll_ready(&self, dir: Direction, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready_at(dir, Seat::Polled, cx)
    }

    /// A future that ends when the direction is thought ready. Any number of
    /// tasks may wait on one direction; an event wakes them all.
    ///
    /// # Cancel safety
    /// Dropping it leaves no waker behind and takes no readiness away.
    pub fn ready(&self, dir: Direction) -> Ready<'_> {
        Ready {
            source: self,
            dir,
            key: None,
        }
    }

    /// Whether the end of this direction may have come, as far as events have told: a
    /// peer that is gone, an error, or no event so far. One load; a no is certain only
    /// up to the last poll of the reactor, and a yes is worth a look.
    pub fn may_have_ended(&self, dir: Direction) -> bool {
        self.desc.lane(dir).slot.may_have_ended()
    }

    fn poll_ready_at(
        &self,
        dir: Direction,
        mut seat: Seat<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let lane = self.desc.lane(dir);
        loop {
            if let Err(stop) = lane.gate.check() {
                return Poll::Ready(Err(stop.into()));
            }
            if lane.slot.look().is_some() {
                return Poll::Ready(Ok(()));
            }
            let seat = match &mut seat {
                Seat::Polled => Seat::Polled,
                Seat::Listed(key) => Seat::Listed(key),
            };
            ready!(self.poll_park(dir, seat, cx))?;
        }
    }

    /// Pending when the task has a seat; ready when it must look again.
    fn poll_park(
        &self,
        dir: Direction,
        seat: Seat<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reactor.is_elsewhere() {
            return Poll::Ready(Err(Stop::Elsewhere.into()));
        }
        let lane = self.desc.lane(dir);
        match lane.slot.park(seat, cx.waker(), &lane.gate) {
            Ok(Park::LookAgain) => Poll::Ready(Ok(())),
            Ok(Park::Parked) if self.reactor.poller().is_one_shot() => {
                match self.desc.arm(self.reactor.poller()) {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            }
            Ok(Park::Parked) => Poll::Pending,
            Err(stop) => Poll::Ready(Err(Stop::into(stop))),
        }
    }

    /// The sequence number of the new deadline, which
    /// [`expire`](Self::expire) must bring back.
    ///
    /// `when` and `now` are nanoseconds on the caller's clock. A deadline that
    /// has passed (`when <= now`) ends the waits of this direction at once with
    /// `TimedOut`; one in the future, or `None`, lets operations go on again,
    /// also those that were stopped but have not run since. The caller arms the
    /// timer. Wakers are called here.
    pub fn set_deadline(&self, dir: Direction, when: Option<u64>, now: u64) -> u64 {
        let passed = when.is_some_and(|when| when <= now);
        let sequence = self.desc.lane(dir).gate.set_deadline(passed);
        if passed {
            self.desc.unblock(dir);
        }
        sequence
    }

    /// The deadline with this number has come: waits of this direction end with
    /// `TimedOut`. A number that is not the latest is ignored. Wakers are
    /// called here.
    pub fn expire(&self, dir: Direction, seq: u64) {
        self.desc.expire(dir, seq);
    }

    /// What a timer needs to call [`expire`](Self::expire), and no more: it
    /// keeps neither the registration nor the descriptor alive.
    pub fn expirer(&self) -> Expirer {
        Expirer {
            desc: Arc::clone(&self.desc),
        }
    }

    /// The reactor that this source is registered with.
    pub fn reactor(&self) -> &Arc<Reactor> {
        &self.reactor
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn desc(&self) -> &Arc<Desc> {
        &self.desc
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // The parent waits for events of the same file.
        if self.reactor.is_elsewhere() {
            return;
        }
        {
            let mut armed = self.desc.armed.lock();
            *armed = false;
            // The system may have forgotten the descriptor already; there is
            // nothing to undo then.
            let _ = self.reactor.poller().remove(&self.desc.fd);
        }
        self.reactor.forget(self.desc.key);
        let mut wakers = Vec::new();
        self.desc.close(&mut wakers);
        // A foreign waker's panic was reported by the panic hook; a destructor
        // does not pass it on.
        let _ = wake_all(wakers);
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("fd", &self.desc.fd)
            .field("key", &format_args!("{:#x}", self.desc.key))
            .field("read", &self.desc.read)
            .field("write", &self.desc.write)
            .finish_non_exhaustive()
    }
}

/// The deadlines of a [`Source`], for a timer that may outlive it: the end of a
/// source makes every number stale.
#[derive(Clone)]
pub struct Expirer {
    desc: Arc<Desc>,
}

impl Expirer {
    /// As [`Source::expire`]; nothing happens once the source is dropped.
    pub fn expire(&self, dir: Direction, seq: u64) {
        self.desc.expire(dir, seq);
    }
}

impl fmt::Debug for Expirer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expirer")
            .field("fd", &self.desc.fd)
            .finish_non_exhaustive()
    }
}

/// The future of [`Source::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Ready<'a> {
    source: &'a Source,
    dir: Direction,
    /// The seat in the direction's list, once it has waited.
    key: Option<usize>,
}

impl Ready<'_> {
    /// Whether a poll of it has been pending.
    pub fn has_waited(&self) -> bool {
        self.key.is_some()
    }
}

impl Future for Ready<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.source
            .poll_ready_at(this.dir, Seat::Listed(&mut this.key), cx)
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key
            && !self.source.reactor.is_elsewhere()
        {
            self.source.desc.lane(self.dir).slot.stand_up(key);
        }
    }
}
