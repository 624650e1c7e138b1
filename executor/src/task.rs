//! Small questions and forms of tasks.

#![expect(unsafe_code, reason = "reads the running task's number")]

use std::panic::Location;

use crate::g::join::{Id, JoinHandle};
use crate::handle::Handle;
use crate::syscall::block_in_place_at;
use crate::{m, ready};

/// The id of the running task, if a task runs on this thread.
pub fn try_id() -> Option<Id> {
    m::with_current(|m| {
        let curg = m?.curg.get();
        // SAFETY: the running task outlives the call that it makes.
        unsafe { curg.as_ref() }.map(|g| Id(g.goid))
    })
}

/// Runs a closure that may block as a task in a blocking section: on a thread of
/// its own if it takes long, without a second pool.
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Handle::current().spawn_blocking(f)
}

impl Handle {
    /// Runs a closure that may block as a task of this runtime in a blocking section:
    /// on a thread of its own if it takes long, without a second pool.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let here = Location::caller();
        let blocks = async move { block_in_place_at(here, f) };
        ready::spawn_as::<_, true>(self.sched(), blocks, here, None)
    }
}
