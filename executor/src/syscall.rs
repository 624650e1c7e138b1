//! Blocking sections: code of the user that blocks its thread on purpose
//! (R-SYSCALL-1…6, L-12).
//!
//! The P stays wired to its M; the section only says that sysmon may take it
//! after one tick instead of after a time slice. A section that is over before
//! the next tick costs two stores and no thread; a poll that is made of them
//! has its slice, as one that computes.

use crate::m;
use crate::sync::Ordering;

/// Runs `f`, which may block the thread. In a task, the other tasks of its P go
/// on elsewhere if it takes long. Nests, and works on any thread.
pub fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    struct Section<'a>(&'a m::M);
    impl Drop for Section<'_> {
        fn drop(&mut self) {
            exit_syscall(self.0);
        }
    }
    m::with_current(|m| match m {
        Some(m) if !m.curg.get().is_null() && !m.sched.is_elsewhere() => {
            enter_syscall(m);
            let _section = Section(m);
            f()
        }
        _ => f(),
    })
}

fn enter_syscall(m: &m::M) {
    let depth = m.shared.syscalls.load(Ordering::Relaxed); // ord: own word
    if depth == 0 {
        // Starts sysmon's count of ticks anew.
        m.shared.polltick.turn();
    }
    m.shared.syscalls.store(depth + 1, Ordering::Release); // ord: sysmon's hint
    m.sched.wake_sysmon();
}

fn exit_syscall(m: &m::M) {
    let depth = m.shared.syscalls.load(Ordering::Relaxed); // ord: own word
    m.shared.syscalls.store(depth - 1, Ordering::Release); // ord: sysmon's hint
    if depth == 1 {
        m.shared.polltick.turn();
    }
}
