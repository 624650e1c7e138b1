//! Counts drops: what a runtime promises to drop exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A counter that its tokens raise when they are dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drops(Arc<AtomicUsize>);

/// See [`Drops`].
#[derive(Debug)]
pub(crate) struct Token(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn new() -> Drops {
        Drops::default()
    }

    pub(crate) fn token(&self) -> Token {
        Token(self.0.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
