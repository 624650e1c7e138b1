//! Loom models: one property a file, each beside the faults it must catch.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test -p gmp-reactor --release --lib
//! ```
//!
//! A model asserts that it explored a hundred executions, so that
//! one which lost its concurrency fails instead of passing for ever.

mod breaks;
mod generations;
mod waits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use crate::sync::{Fault, inject};

/// Fewer executions than this model nothing.
const FEWEST: usize = 100;

/// A flag that a waker sets. It is not loom's: models read it only after their
/// threads are joined.
struct Flag(AtomicUsize);

impl Flag {
    fn new() -> (Arc<Self>, Waker) {
        let flag = Arc::new(Self(AtomicUsize::new(0)));
        (Arc::clone(&flag), flag.into())
    }

    fn wakes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Explores a model with a fault switched on, or none.
fn explore(fault: Option<Fault>, model: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&executions);
    inject(fault);
    loom::model(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    inject(None);
    let executions = executions.load(Ordering::Relaxed);
    println!("{executions} executions");
    assert!(
        executions >= FEWEST,
        "only {executions} executions: this models nothing"
    );
}

/// A thread runs one model at a time, so a fault that a panic left switched on
/// is overwritten by the next [`explore`].
macro_rules! models {
    ($($(#[$meta:meta])* $name:ident($fault:expr) => $model:expr;)*) => {
        $(
            $(#[$meta])*
            #[test]
            fn $name() {
                $crate::models::explore($fault, $model);
            }
        )*
    };
}
pub(crate) use models;
