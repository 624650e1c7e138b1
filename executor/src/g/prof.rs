//! The snapshot word of a task: what a snapshot knows of it already (profiler's
//! "record before the first transition").
//!
//! A snapshot has a number, its epoch. A word of an older epoch is *fresh*; of
//! this one it is *tagged* with the status that the task had when its number
//! came out, or *done*: a record of the task is taken, or it was born later.
//!
//! | who | what it is about to do | before that |
//! |---|---|---|
//! | whoever wakes, aborts, suspends, runs or requeues it | change the status | fresh becomes tagged |
//! | who has the right to run it | overwrite the record of its last park | fresh becomes tagged; tagged as waiting becomes done, and it takes the record |
//! | who has the right to run it | end it, list it, change its labels | becomes done, and it takes the record |
//! | the walker | nothing | copies, then becomes done if the word is as it was before the copy |
//!
//! Nobody waits for anybody. Why no record is torn, and none is taken twice:
//!
//! * Only an exchange to *done* gives the right to a record, and it succeeds once.
//! * The copy of the walker lies before its exchange, and whoever overwrites what
//!   is copied has made an exchange, or seen *done*, before. If the walker's
//!   exchange comes first, the other one sees the walker's release: its stores come
//!   after the copy. If it comes second, it fails and the copy is thrown away.
//! * A tag of an earlier epoch, by somebody who was delayed, never replaces a word
//!   of a later one.
//! * A status that is read from the state and not from a tag is that of the epoch:
//!   a transition since then has left a tag before, and whoever sees the
//!   transition sees the tag, so the exchange fails.
//!
//! All this holds for who knows the epoch; `snapshot.rs` says how everybody comes
//! to know it.

use crate::jitter;
use crate::mutant::{self, Mutant};
use crate::sync::{AtomicU32, Ordering};

use super::state::{State, WAITING};

/// The word: epoch, status, phase.
pub(crate) struct Prof(AtomicU32);

/// The number of a snapshot, never 0. A task is overlooked by one snapshot if
/// exactly 2^26 were taken since one, or its birth in one, last touched it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Epoch(u32);

const EPOCHS: u32 = 1 << 26;
const EPOCH_SHIFT: u32 = 6;
const STATUS_SHIFT: u32 = 2;
const STATUS: u32 = 0xf;
const TAGGED: u32 = 1;
const DONE: u32 = 2;
const PHASE: u32 = 3;

impl Epoch {
    /// The epoch in the upper bits of a word; None: no snapshot is open.
    #[inline]
    pub(crate) fn of(word: u32) -> Option<Epoch> {
        match word >> EPOCH_SHIFT {
            0 => None,
            number => Some(Epoch(number)),
        }
    }

    /// The upper bits of a word that says this epoch.
    pub(crate) fn bits(self) -> u32 {
        self.0 << EPOCH_SHIFT
    }

    /// The epoch after this one.
    #[cfg(not(loom))]
    pub(crate) fn next(last: Option<Epoch>) -> Epoch {
        let next = last.map_or(1, |epoch| (epoch.0 + 1) % EPOCHS);
        Epoch(next.max(1))
    }

    fn done(self) -> u32 {
        self.bits() | DONE
    }

    fn tagged(self, status: u32) -> u32 {
        self.bits() | status << STATUS_SHIFT | TAGGED
    }

    /// Whether the word is of a later epoch. They go round: later means by less than
    /// half a round.
    fn is_before(self, word: u32) -> bool {
        let word = word >> EPOCH_SHIFT;
        word != 0 && word.wrapping_sub(self.0) % EPOCHS < EPOCHS / 2
    }

    fn read(self, word: u32) -> Phase {
        match (word >> EPOCH_SHIFT == self.0, word & PHASE) {
            (true, DONE) => Phase::Done,
            (true, TAGGED) => Phase::Tagged(word >> STATUS_SHIFT & STATUS),
            _ => Phase::Fresh,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Fresh,
    Tagged(u32),
    Done,
}

impl Prof {
    /// The word of a task that no snapshot knows of.
    pub(crate) fn new() -> Prof {
        Prof(AtomicU32::new(0))
    }

    /// The task, of which nobody knows yet, is born in an open snapshot.
    pub(crate) fn born_in(&self, epoch: Epoch) {
        self.0.store(epoch.done(), Ordering::Relaxed); // ord: its queue publishes it
    }

    /// Before a change of the status, by anybody who may make it.
    pub(crate) fn tag(&self, epoch: Epoch, state: &State) {
        if mutant::is(Mutant::StatusUntagged) {
            return;
        }
        // ord: the exchange validates it
        let mut word = self.0.load(Ordering::Relaxed);
        // Whoever learnt of its epoch long ago must not wipe out what a later one knows.
        while epoch.read(word) == Phase::Fresh && !epoch.is_before(word) {
            match self.exchange(word, epoch.tagged(state.load().status())) {
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Before the record of the last park is overwritten, by who has the right to
    /// run the task. The status of the epoch if the caller must take a record first.
    #[must_use]
    pub(crate) fn before_park(&self, epoch: Epoch, state: &State) -> Option<u32> {
        loop {
            // ord: sees that the walker has copied; pairs with look; model none: loom
            // lets no load see a later store
            let word = self.0.load(Ordering::Acquire);
            let (new, record) = match epoch.read(word) {
                Phase::Done => return None,
                Phase::Tagged(WAITING) => (epoch.done(), Some(WAITING)),
                Phase::Tagged(_) => return None,
                Phase::Fresh => (epoch.tagged(state.load().status()), None),
            };
            if mutant::is(Mutant::ParkUnrecorded) {
                return None;
            }
            if self.exchange(word, new).is_ok() {
                return record;
            }
        }
    }

    /// Before anything else that a record takes is overwritten, or the task ends, by
    /// who has the right to run it. As [`Prof::before_park`].
    #[must_use]
    pub(crate) fn claim(&self, epoch: Epoch, state: &State) -> Option<u32> {
        loop {
            // ord: as in before_park
            let word = self.0.load(Ordering::Acquire);
            let status = match epoch.read(word) {
                Phase::Done => return None,
                Phase::Tagged(status) => status,
                Phase::Fresh => state.load().status(),
            };
            if self.exchange(word, epoch.done()).is_ok() {
                return Some(status);
            }
        }
    }

    /// The walker, while the task cannot end: copies it with the status of the epoch.
    /// None: there is a record of it, or it was born later.
    pub(crate) fn look<R>(
        &self,
        epoch: Epoch,
        state: &State,
        mut copy: impl FnMut(u32) -> R,
    ) -> Option<R> {
        loop {
            // ord: the exchange validates it
            let word = self.0.load(Ordering::Relaxed);
            let status = match epoch.read(word) {
                Phase::Done => return None,
                Phase::Tagged(status) => status,
                Phase::Fresh => state.load().status(),
            };
            let copied = copy(status);
            if mutant::is(Mutant::CopyUnclaimed) {
                self.0.store(epoch.done(), Ordering::Relaxed); // ord: a mutant
                return Some(copied);
            }
            if self.exchange(word, epoch.done()).is_ok() {
                return Some(copied);
            }
        }
    }

    fn exchange(&self, word: u32, new: u32) -> Result<(), u32> {
        jitter::point();
        // ord: release: our copy lies before; acquire: what we overwrite next comes
        // after the walker's copy; model none, as in before_park
        self.0
            .compare_exchange(word, new, Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| ())
    }
}

impl std::fmt::Debug for Prof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = self.0.load(Ordering::Relaxed); // ord: for people
        write!(f, "Prof({:?}, {:#x})", word >> EPOCH_SHIFT, word & 0x3f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{EPOCHS, Epoch, Prof};
    use crate::g::state::{RUNNABLE, RUNNING, State, WAITING};

    fn waiting() -> State {
        let state = State::new();
        let _polled = state.begin_poll();
        let _parked = state.end_poll();
        state
    }

    #[test]
    fn a_tag_keeps_the_status_of_the_epoch() {
        let epoch = Epoch::next(None);
        let (prof, state) = (Prof::new(), waiting());
        prof.tag(epoch, &state);
        let _enqueue = state.wake();
        prof.tag(epoch, &state);
        let _poll = state.begin_poll();
        assert_eq!(prof.look(epoch, &state, |status| status), Some(WAITING));
        assert_eq!(prof.look(epoch, &state, |status| status), None);
        let later = Epoch::next(Some(epoch));
        assert_eq!(prof.look(later, &state, |status| status), Some(RUNNING));
    }

    #[test]
    fn who_parks_takes_the_record_that_it_overwrites() {
        let epoch = Epoch::next(None);
        let (prof, state) = (Prof::new(), waiting());
        prof.tag(epoch, &state);
        let _enqueue = state.wake();
        let _poll = state.begin_poll();
        assert_eq!(prof.before_park(epoch, &state), Some(WAITING));
        assert_eq!(prof.before_park(epoch, &state), None);
        assert_eq!(prof.look(epoch, &state, |status| status), None);
        // One that ran at the epoch has no record to lose.
        let prof = Prof::new();
        assert_eq!(prof.before_park(epoch, &state), None);
        let _parked = state.end_poll();
        assert_eq!(prof.look(epoch, &state, |status| status), Some(RUNNING));
    }

    #[test]
    fn a_newborn_is_in_no_snapshot_that_is_open() {
        let epoch = Epoch::next(None);
        let (prof, state) = (Prof::new(), State::new());
        prof.born_in(epoch);
        assert_eq!(prof.claim(epoch, &state), None);
        assert_eq!(prof.look(epoch, &state, |status| status), None);
        let later = Epoch::next(Some(epoch));
        assert_eq!(prof.claim(later, &state), Some(RUNNABLE));
    }

    /// Whoever learnt of an epoch before it was delayed must not undo a later one.
    #[test]
    fn a_late_tag_wipes_out_nothing() {
        let early = Epoch::next(None);
        let late = Epoch::next(Some(early));
        let (prof, state) = (Prof::new(), waiting());
        prof.tag(late, &state);
        let _enqueue = state.wake();
        prof.tag(early, &state);
        assert_eq!(prof.look(late, &state, |status| status), Some(WAITING));
    }

    #[test]
    fn epochs_go_round_without_zero() {
        let last = Epoch(EPOCHS - 1);
        assert_eq!(Epoch::next(Some(last)), Epoch(1));
        assert_eq!(Epoch::of(last.bits() | 0x3f), Some(last));
        assert_eq!(Epoch::of(0x3f), None);
    }
}
