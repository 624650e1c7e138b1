//! Blocking sections: code of the user that blocks its thread on purpose
//! (R-SYSCALL-1…6, L-12).
//!
//! The P stays wired to its M; the section only says that sysmon may take it
//! after one tick instead of after a time slice. A section that is over before
//! the next tick costs two stores and no thread; a poll that is made of them
//! has its slice, as one that computes.

use std::panic::Location;
use std::ptr;

use crate::m;
use crate::sync::Ordering;

/// Runs `f`, which may block the thread. In a task, the other tasks of its P go
/// on elsewhere if it takes long. Nests, and works on any thread. Meanwhile dumps show
/// the line that calls this.
#[track_caller]
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    block_in_place_at(Location::caller(), f)
}

/// As [`block_in_place`], by a future that was made at that line for its caller.
///
/// ```
/// # use std::panic::Location;
/// #[track_caller]
/// fn size(path: &'static str) -> impl Future<Output = std::io::Result<u64>> {
///     let here = Location::caller();
///     let look = move || Ok(std::fs::metadata(path)?.len());
///     async move { gmp_executor::block_in_place_at(here, look) }
/// }
/// # gmp_executor::Handle::current().block_on(async {
/// assert!(size("/").await.is_ok());
/// # });
/// ```
pub fn block_in_place_at<R>(location: &'static Location<'static>, f: impl FnOnce() -> R) -> R {
    struct Section<'a>(&'a m::M);
    impl Drop for Section<'_> {
        fn drop(&mut self) {
            exit_syscall(self.0);
        }
    }
    m::with_current(|m| match m {
        Some(m) if !m.curg.get().is_null() && !m.sched.is_elsewhere() => {
            enter_syscall(m, location);
            let _section = Section(m);
            f()
        }
        _ => f(),
    })
}

fn enter_syscall(m: &m::M, location: &'static Location<'static>) {
    let depth = m.shared.syscalls.load(Ordering::Relaxed); // ord: own word
    if depth == 0 {
        let location = ptr::from_ref(location).cast_mut();
        m.shared.section.store(location, Ordering::Relaxed); // ord: for people
        // Starts sysmon's count of ticks anew.
        m.shared.polltick.turn();
    }
    m.shared.syscalls.store(depth + 1, Ordering::Release); // ord: after the place; sysmon's hint
    m.sched.wake_sysmon();
}

fn exit_syscall(m: &m::M) {
    let depth = m.shared.syscalls.load(Ordering::Relaxed); // ord: own word
    m.shared.syscalls.store(depth - 1, Ordering::Release); // ord: sysmon's hint
    if depth == 1 {
        m.shared.polltick.turn();
    }
}
