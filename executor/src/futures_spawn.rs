//! The traits by which libraries spawn without knowing a runtime.

use futures_task::{FutureObj, LocalFutureObj, LocalSpawn, Spawn, SpawnError};

use crate::block_on::spawn_local;
use crate::handle::Handle;
use crate::m;
use crate::sync::Arc;

impl Handle {
    fn is_open(&self) -> Result<(), SpawnError> {
        match self.sched().is_closing() {
            false => Ok(()),
            true => Err(SpawnError::shutdown()),
        }
    }
}

/// Spawns a detached task, as [`Handle::spawn`] with its handle dropped. The error
/// says that the runtime has shut down.
///
/// # Panics
/// In a child of fork.
impl Spawn for Handle {
    #[track_caller]
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.is_open()?;
        drop(self.spawn(future));
        Ok(())
    }

    fn status(&self) -> Result<(), SpawnError> {
        self.is_open()
    }
}

/// Spawns a detached task that this thread polls, as [`spawn_local`]. The error says
/// that the runtime has shut down, or that this thread is not in a `block_on` of it.
///
/// # Panics
/// In a child of fork.
impl LocalSpawn for Handle {
    #[track_caller]
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.status_local()?;
        drop(spawn_local(future));
        Ok(())
    }

    fn status_local(&self) -> Result<(), SpawnError> {
        self.is_open()?;
        let here = m::with_current(|m| {
            m.is_some_and(|m| m.attached && Arc::ptr_eq(&m.sched, self.sched()))
        });
        match here {
            true => Ok(()),
            false => Err(SpawnError::shutdown()),
        }
    }
}
