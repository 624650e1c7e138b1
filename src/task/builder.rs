//! Tasks with a name.

use super::JoinHandle;
use crate::runtime::Handle;

/// Spawns a task with a name that dumps and traces show.
///
/// ```
/// gmp::block_on(async {
///     let task = gmp::task::Builder::new().name("reader").spawn(async { 1 });
///     assert_eq!(task.await.expect("no panic"), 1);
/// });
/// ```
#[derive(Debug, Default, Clone, Copy)]
#[must_use = "a builder does nothing until it spawns"]
pub struct Builder<'a> {
    name: Option<&'a str>,
}

impl<'a> Builder<'a> {
    /// A task without a name.
    pub fn new() -> Builder<'a> {
        Builder { name: None }
    }

    /// Names the task.
    pub fn name(mut self, name: &'a str) -> Builder<'a> {
        self.name = Some(name);
        self
    }

    /// Spawns on this thread's runtime, else on the global one.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(future, &Handle::current())
    }

    /// Spawns on `handle`'s runtime.
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.name {
            Some(name) => handle.spawn_named(name, future),
            None => handle.spawn(future),
        }
    }
}
