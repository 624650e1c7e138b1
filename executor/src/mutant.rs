//! Weakened variants of the protocols. A model runs on the code as it is and on
//! each mutant, which it must catch. Outside the models [`is`] is a constant
//! `false` and leaves no trace.
//!
//! Orderings and fences need no mutant here: the models take each of them away
//! by its place in the source (`sync/weaken.rs`).

/// One step left out or put in the wrong place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mutant {
    /// `RunQueue::put` reads `runnext` and then stores to it.
    KickByLoadAndStore,
    /// `RunQueue::put` takes the ring's length as if the indices never wrapped.
    PlainLength,
    /// An overflow moves the head without an exchange.
    OverflowUnclaimed,
    /// A thief copies the slots after it has moved the victim's head.
    CopyAfterClaim,
    /// A thief publishes its own tail before the slots are copied.
    PublishBeforeCopy,
    /// `RunQueue::is_empty` reads the tail once.
    EmptyAtOneLook,
    /// `Note::wake` leaves a note alone on which nobody sleeps yet.
    WakeOnlyASleeper,
    /// `Note::sleep` goes to sleep without a look at the note.
    SleepUnchecked,
    /// `PFence::take` stores TAKEN without asking who was first.
    TakenUnclaimed,
    /// `PFence::end_poll` takes a withdrawn request for a lost P.
    WithdrawnIsLost,
    /// `PFence::take_where` looks where the P is after it has taken it.
    LookAfterTaking,
    /// `State::wake` does not write when a poll is due anyway.
    WakeWithoutWrite,
    /// `State::end_poll` parks a task that was woken during the poll.
    PollEndForgetsWake,
    /// `State::end_poll` looks at the word and then stores to it.
    PollEndByLoadAndStore,
    /// `State::begin_poll` polls a task that a suspender holds.
    PollIgnoresScan,
    /// `State::resume` forgets a wake that came during the suspension.
    ResumeForgetsWake,
    /// `State::withdraw_stop` clears the request and looks no further.
    WithdrawOnlyClears,
    /// `Prof::tag` leaves no tag.
    StatusUntagged,
    /// `Prof::before_park` lets the record be overwritten that nobody has taken.
    ParkUnrecorded,
    /// `Prof::look` keeps what it copied, whatever became of the word meanwhile.
    CopyUnclaimed,
}

#[cfg(not(all(test, loom)))]
pub(crate) const fn is(_: Mutant) -> bool {
    false
}

#[cfg(all(test, loom))]
pub(crate) use switch::{is, set};

#[cfg(all(test, loom))]
mod switch {
    use std::cell::Cell;

    use super::Mutant;

    // A model's threads are coroutines of one system thread, so they share this cell.
    std::thread_local! {
        static CURRENT: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    pub(crate) fn is(mutant: Mutant) -> bool {
        CURRENT.get() == Some(mutant)
    }

    /// Puts `mutant` in force on this thread.
    pub(crate) fn set(mutant: Option<Mutant>) {
        CURRENT.set(mutant);
    }
}
