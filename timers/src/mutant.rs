//! Weakened variants of the protocols. A model runs once on the code as it is and once on each
//! mutant, which it must catch. Outside the models [`is`] is a constant `false` and leaves no
//! trace.

/// One step left out or put in the wrong place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// `reset` lowers the horizon before the new deadline can be seen.
    LowerBeforePublish,
    /// `reset` does not write the horizon when it is low enough already.
    LowerWithoutWrite,
    /// `adjust` clears the horizon after its scan.
    ClearAfterScan,
    /// `adjust` clears the horizon without keeping its value in the heap's word.
    ClearWithoutFold,
    /// `next` reads the heap's word first.
    HeapWordFirst,
    /// `reset` decides about the wake-up before it lowers the horizon.
    LookBeforeLower,
    /// `reset` does not fence between lowering the horizon and its look at the heap's word.
    LookWithoutFence,
    /// `stop` trusts the look at the state that it took before it locked the timer.
    StopWithoutRecheck,
    /// `set_waker` trusts the look at the state that it took before it cloned the waker.
    StoreWakerUnchecked,
    /// `add` trusts the look at the place that it took before it locked the timer.
    EnterUnchecked,
}

#[cfg(not(all(test, loom)))]
pub(crate) const fn is(_: Mutant) -> bool {
    false
}

#[cfg(all(test, loom))]
pub(crate) use switch::{is, with};

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

    /// Runs `model` with `mutant` in force on this thread.
    pub(crate) fn with(mutant: Mutant, model: impl FnOnce()) {
        CURRENT.set(Some(mutant));
        model();
    }
}
