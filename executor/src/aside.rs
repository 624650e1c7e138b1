//! Tasks that hold up their P, on the way to an M that polls them without one.

use crate::g::ReadyG;
use crate::m::M;
use crate::sched::Sched;
use crate::sync::{Ordering, lock};

/// Hands a task that holds up its P to an idle M, which polls it without one.
/// Comes back if no M is idle.
pub(crate) fn start(sched: &Sched, gp: ReadyG) -> Option<ReadyG> {
    let idle = sched.lock().inner.midle.pop();
    let Some(idle) = idle else { return Some(gp) };
    {
        // Dumps and a stopped clock must not miss it on its way.
        let mut inbox = lock(&idle.inbox);
        idle.goid.store(gp.header().goid, Ordering::Release); // ord: for people
        inbox.tasks.push_back(gp);
    }
    idle.start_with(None, false);
    None
}

/// The task that an M without a P was woken for.
pub(crate) fn take(m: &M) -> Option<ReadyG> {
    lock(&m.shared.inbox).tasks.pop_front()
}
