//! What each thread does before it polls tasks: one function for the process, for
//! the context of a guest that looks into the thread.
//!
//! An M does it whenever it gets a P, and when it polls a task without one. So an M
//! that keeps its P would go on without: whoever sets the function takes all Ps away
//! for a moment, and none comes back to an M past it.

use std::cell::Cell;

use crate::handle::Handle;
use crate::probe;
use crate::stw::stop_the_world;
use crate::sync::OnceLock;

static PRELUDE: OnceLock<fn()> = OnceLock::new();

/// Set when every M has passed it.
static DEALT: OnceLock<()> = OnceLock::new();

thread_local! {
    /// Whether this thread is an M to be, which somebody has given a P already.
    static STARTING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `prelude` on every thread of every runtime before it polls a task, from
/// now on and again and again: it must be quick and do its work once. Only the first
/// function that this is called with counts.
///
/// When this returns no poll begins any more without the call. The caller's own poll
/// goes on, and has to do for itself what the function does.
///
/// In a hook for new threads it does not wait: there the others follow soon.
///
/// ```
/// use gmp_executor::{Runtime, before_polls};
/// use std::cell::Cell;
///
/// thread_local! {
///     static GREETED: Cell<bool> = const { Cell::new(false) };
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let runtime = Runtime::new()?;
/// before_polls(|| GREETED.set(true));
/// assert!(runtime.block_on(runtime.spawn(async { GREETED.get() }))?);
/// # Ok(())
/// # }
/// ```
pub fn before_polls(prelude: fn()) {
    PRELUDE.get_or_init(|| prelude);
    if STARTING.get() && DEALT.get().is_none() {
        // This thread's P stops when its hook is over, so it cannot wait for that.
        // Without a thread the Ms do it when they get their next P.
        let thread = std::thread::Builder::new().name("gmp-prelude".to_owned());
        drop(thread.spawn(gmp_reactor::starting(deal_anew)));
    } else {
        deal_anew();
    }
}

/// Takes every P from its M, once.
fn deal_anew() {
    DEALT.get_or_init(|| {
        for handle in Handle::all() {
            stop_the_world(handle.sched()).leave_own();
        }
    });
}

/// By an M that has just got a P, or is about to poll without one.
#[inline]
pub(crate) fn before_poll() {
    if let Some(prelude) = PRELUDE.get() {
        prelude();
    }
}

/// Runs the user's hook for a new thread.
pub(crate) fn while_starting(hook: impl FnOnce()) {
    STARTING.set(true);
    probe::contain(hook);
    STARTING.set(false);
}
