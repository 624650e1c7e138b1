//! Which task used which half of a channel last: whoever waits in vain for the other
//! half waits for that task, most likely. For reports of tasks that wait for each
//! other; noted only while somebody wants to know.

use std::panic::Location;
use std::task::Context;

use gmp_executor::held::{self, Holder, Lot};
use gmp_executor::{WaitReason, leaf};

/// A half of a channel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Senders,
    Receivers,
}

/// Both halves, once a use of one was noted.
#[derive(Debug, Default)]
pub(super) struct Ends(Option<Box<[End; 2]>>);

#[derive(Debug)]
struct End {
    last: Holder,
    /// Where others look that up, since somebody waited for this half.
    lot: Option<Lot>,
}

impl End {
    const UNUSED: End = End {
        last: Holder::NOBODY,
        lot: None,
    };
}

impl Ends {
    /// The running task uses this half.
    #[inline]
    pub(super) fn used(&mut self, half: Half) {
        if held::is_watched() {
            self.note(half);
        }
    }

    #[cold]
    fn note(&mut self, half: Half) {
        let (end, holder) = (self.end(half), Holder::running());
        if end.last != holder {
            end.last = holder;
            if let Some(lot) = &end.lot {
                lot.held_by(holder);
            }
        }
    }

    /// The number by which the last user of this half is found; 0: by none.
    #[inline]
    pub(super) fn number(&mut self, half: Half) -> u64 {
        if held::is_watched() {
            self.lot(half)
        } else {
            0
        }
    }

    #[cold]
    fn lot(&mut self, half: Half) -> u64 {
        let end = self.end(half);
        end.lot.get_or_insert_with(|| Lot::new(end.last)).number()
    }

    fn end(&mut self, half: Half) -> &mut End {
        &mut self.0.get_or_insert_with(|| Box::new([End::UNUSED; 2]))[half as usize]
    }
}

/// Notes that the task waits for the half with this number.
#[inline]
pub(super) fn park(
    reason: WaitReason,
    location: &'static Location<'static>,
    number: u64,
    cx: &Context<'_>,
) {
    match number {
        0 => leaf::park(reason, location),
        number => leaf::park_for(reason, location, number, cx.waker()),
    }
}

/// Takes that back, if the wait is given up in the poll that began it.
#[inline]
pub(super) fn unpark(reason: WaitReason, number: u64) {
    if number != 0 {
        leaf::unpark(reason, number);
    }
}
