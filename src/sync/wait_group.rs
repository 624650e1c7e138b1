//! A count of what is still to be done.

use std::future::Future;
use std::panic::Location;
use std::sync::Mutex;

use gmp_executor::WaitReason;

use super::wait::{Seen, Wait};
use super::waiters::{Waiters, Wakers, lock};

/// Waits for a number of things to be done, as Go's `sync.WaitGroup`.
///
/// [`add`](WaitGroup::add) is to be called before what it counts begins, or a
/// wait may find nothing to wait for.
///
/// ```
/// use std::sync::Arc;
/// use gmp::sync::WaitGroup;
///
/// # gmp::block_on(async {
/// let group = Arc::new(WaitGroup::new());
/// for _ in 0..10 {
///     group.add(1);
///     let group = group.clone();
///     drop(gmp::spawn(async move {
///         gmp::task::yield_now().await;
///         group.done();
///     }));
/// }
/// group.wait().await;
/// # });
/// ```
#[derive(Debug)]
pub struct WaitGroup {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    count: usize,
    waiters: Waiters<()>,
}

impl WaitGroup {
    /// With nothing to be done. Works in a `static`.
    pub const fn new() -> WaitGroup {
        WaitGroup {
            state: Mutex::new(State {
                count: 0,
                waiters: Waiters::new(),
            }),
        }
    }

    /// Changes what is to be done by `delta`, which may be negative. At zero all
    /// who wait go on.
    ///
    /// # Panics
    /// If less than nothing were to be done; the count stays as it is.
    #[track_caller]
    pub fn add(&self, delta: isize) {
        let mut state = lock(&self.state);
        let Some(count) = state.count.checked_add_signed(delta) else {
            drop(state);
            panic!("negative WaitGroup counter: call add before what it counts, and done once");
        };
        state.count = count;
        let wakers = match count {
            0 => state.waiters.pop_all(),
            _ => Wakers::default(),
        };
        drop(state);
        wakers.wake();
    }

    /// One thing is done: [`add`](WaitGroup::add) of -1.
    ///
    /// # Panics
    /// As [`WaitGroup::add`].
    #[track_caller]
    pub fn done(&self) {
        self.add(-1);
    }

    /// Waits until nothing is to be done. A group that is used again meanwhile
    /// does not hold back those whom its zero has freed.
    ///
    /// # Cancel safety
    /// Yes.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = ()> {
        Wait {
            state: &self.state,
            queue: |state| &mut state.waiters,
            look: |state: &mut State, seen| {
                (seen == Seen::Taken || state.count == 0).then(|| ((), Wakers::default()))
            },
            reason: WaitReason::WaitGroupWait,
            location: Location::caller(),
            place: None,
        }
    }
}

impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}
