//! loom's atomics, which know from where in the source they are used. A model
//! can so take away the ordering of one place at a time, or one fence, and see
//! whether it fails. Nothing else differs from loom's.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::Location;

use loom::sync::atomic::Ordering;

/// A place in the source with an ordering stronger than Relaxed, or a fence.
pub(crate) type Site = &'static Location<'static>;

// A model's threads are coroutines of one system thread, so they share these.
std::thread_local! {
    static SEEN: RefCell<Option<BTreeSet<Site>>> = const { RefCell::new(None) };
    static WEAK: Cell<Option<Site>> = const { Cell::new(None) };
}

/// Runs `model` and tells which places it passes.
pub(crate) fn sites(model: impl FnOnce()) -> BTreeSet<Site> {
    SEEN.set(Some(BTreeSet::new()));
    model();
    SEEN.take().unwrap_or_default()
}

/// Takes the ordering of `site` away on this thread.
pub(crate) fn weaken(site: Site) {
    WEAK.set(Some(site));
}

fn is_weak(site: Site) -> bool {
    SEEN.with_borrow_mut(|seen| {
        if let Some(seen) = seen {
            seen.insert(site);
        }
    });
    WEAK.get() == Some(site)
}

#[track_caller]
pub(super) fn takes_fence_away() -> bool {
    is_weak(Location::caller())
}

#[track_caller]
fn order(order: Ordering) -> Ordering {
    if order != Ordering::Relaxed && is_weak(Location::caller()) {
        Ordering::Relaxed
    } else {
        order
    }
}

macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $value:ty $(, $fetch:ident)*) => {
        #[derive(Debug)]
        pub(crate) struct $name $(<$t>)? (loom::sync::atomic::$name $(<$t>)?);

        impl $(<$t>)? $name $(<$t>)? {
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, o: Ordering) -> $value {
                self.0.load(order(o))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, o: Ordering) {
                self.0.store(value, order(o));
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, o: Ordering) -> $value {
                self.0.swap(value, order(o))
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                won: Ordering,
                lost: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange(old, new, order(won), order(lost))
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                old: $value,
                new: $value,
                won: Ordering,
                lost: Ordering,
            ) -> Result<$value, $value> {
                self.0.compare_exchange_weak(old, new, order(won), order(lost))
            }

            $(
                #[track_caller]
                pub(crate) fn $fetch(&self, value: $value, o: Ordering) -> $value {
                    self.0.$fetch(value, order(o))
                }
            )*
        }
    };
}

atomic!(AtomicU32, u32, fetch_add, fetch_sub);
atomic!(AtomicU64, u64, fetch_add, fetch_sub);
atomic!(AtomicPtr<T>, *mut T);
