//! What a program wants to be told of each poll.

use crate::m::M;
use crate::probe;

/// Polls between the two hooks. A panic of a hook is contained; `poll` does not
/// unwind.
#[inline(never)]
pub(crate) fn around(m: &M, goid: u64, mut poll: impl FnMut() -> bool) -> bool {
    let hooks = &m.sched.hooks;
    if let Some(hook) = &hooks.poll_start {
        probe::contain(|| hook(goid));
    }
    let done = poll();
    if let Some(hook) = &hooks.poll_stop {
        probe::contain(|| hook(goid));
    }
    done
}
