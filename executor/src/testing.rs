//! Hooks for conformance tests: not part of the interface.

use crate::m;
use crate::sync::Ordering;

/// `schedtick` of the running task's P.
///
/// # Panics
/// Outside a task with a P.
pub fn schedtick() -> u32 {
    m::with_current(|m| {
        m.expect("a gmp thread")
            .with_p(|pp| pp.expect("a P").tick_now())
    })
}

/// Sets `schedtick` of the running task's P.
///
/// # Panics
/// Outside a task with a P.
pub fn set_schedtick(tick: u32) {
    m::with_current(|m| {
        m.expect("a gmp thread").with_p(|pp| {
            pp.expect("a P").schedtick.store(tick, Ordering::Relaxed); // ord: owner's own
        });
    });
}

/// Calls `f` once for every P while no task runs on it.
pub fn for_each_p(handle: &crate::Handle, f: impl Fn(u32) + Send + Sync + 'static) {
    crate::stw::for_each_p(handle.sched(), std::sync::Arc::new(f));
}
