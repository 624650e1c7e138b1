//! Which task used which half of a channel last: whoever waits in vain for the other
//! half waits for that task, most likely. For reports of tasks that wait for each
//! other; noted only while somebody wants to know. A receiver is noted when it finds
//! nothing, for one that always finds a value is not waited for.

use std::panic::Location;
use std::task::Context;

use gmp_executor::held::{self, Holder, Lot};
use gmp_executor::{WaitReason, leaf};

use super::state::Channel;

/// A half of a channel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Senders,
    Receivers,
}

impl Half {
    fn other(self) -> Half {
        match self {
            Half::Senders => Half::Receivers,
            Half::Receivers => Half::Senders,
        }
    }
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

    #[cold]
    fn number(&mut self, half: Half) -> u64 {
        let end = self.end(half);
        end.lot.get_or_insert_with(|| Lot::new(end.last)).number()
    }

    fn end(&mut self, half: Half) -> &mut End {
        &mut self.0.get_or_insert_with(|| Box::new([End::UNUSED; 2]))[half as usize]
    }
}

/// The running task has used one half of the channel in vain, and waits for the other.
#[inline]
pub(super) fn park<T>(
    channel: &Channel<T>,
    other: Half,
    location: &'static Location<'static>,
    cx: &Context<'_>,
) {
    let reason = match other {
        Half::Senders => WaitReason::ChanReceive,
        Half::Receivers => WaitReason::ChanSend,
    };
    leaf::park(reason, location);
    if held::is_watched() {
        park_watched(channel, other, reason, location, cx);
    }
}

#[cold]
fn park_watched<T>(
    channel: &Channel<T>,
    other: Half,
    reason: WaitReason,
    location: &'static Location<'static>,
    cx: &Context<'_>,
) {
    let number = {
        let ends = &mut channel.lock().ends;
        ends.note(other.other());
        ends.number(other)
    };
    leaf::park_for(reason, location, number, cx.waker());
}
