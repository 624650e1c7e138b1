//! Hooks for conformance tests: not part of the interface.

use crate::m::{self, MShared};
use crate::stw;
use crate::sync::{Arc, Ordering, lock};

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
    stw::for_each_p(handle.sched(), Arc::new(f));
}

/// Takes the P out of one of the polls that go on, as sysmon does, whether there
/// is cause or not; `nth` chooses which. True: there was one, and it lost its P.
/// With `suspect` its task counts as one that holds up a P from then on.
pub fn hand_off(handle: &crate::Handle, nth: usize, suspect: bool) -> bool {
    let sched = handle.sched();
    // Whoever stops the world takes what Ps it needs.
    let Ok(world) = sched.world.try_lock() else {
        return false;
    };
    let with_p = |mp: &&Arc<MShared>| mp.p.load(Ordering::Relaxed) != 0; // ord: hint
    let ms: Vec<_> = lock(&sched.allm).iter().filter(with_p).cloned().collect();
    let Some(mp) = ms.get(nth % ms.len().max(1)) else {
        return false;
    };
    // As if the poll had begun with the clock.
    mp.held_up.store(u64::from(suspect), Ordering::Relaxed); // ord: the fence's words order it
    let Some(pp) = stw::take_p(sched, mp) else {
        return false;
    };
    drop(world);
    m::handoff_p(sched, pp);
    true
}
