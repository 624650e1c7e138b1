//! A meeting of a number of tasks.

use std::future::Future;
use std::panic::Location;
use std::sync::Mutex;

use gmp_executor::WaitReason;

use super::wait::{Seen, Wait};
use super::waiters::{Waiters, Wakers};

/// Lets tasks go on when a number of them is there, again and again.
///
/// ```
/// use std::sync::Arc;
/// use gmp::sync::Barrier;
///
/// # gmp::block_on(async {
/// let meeting = Arc::new(Barrier::new(3));
/// let tasks: Vec<_> = (0..3)
///     .map(|_| {
///         let meeting = meeting.clone();
///         gmp::spawn(async move { meeting.wait().await.is_leader() })
///     })
///     .collect();
/// let mut leaders = 0;
/// for task in tasks {
///     leaders += u32::from(task.await.expect("no panic"));
/// }
/// assert_eq!(leaders, 1);
/// # });
/// ```
#[derive(Debug)]
pub struct Barrier {
    /// Who is there and waits.
    state: Mutex<Waiters<()>>,
    needed: usize,
}

impl Barrier {
    /// For meetings of `n`; of 0 and 1, nobody waits.
    pub const fn new(n: usize) -> Barrier {
        Barrier {
            state: Mutex::new(Waiters::new()),
            needed: n,
        }
    }

    /// Waits until `n` tasks are there. The last one is the leader of the meeting.
    ///
    /// # Cancel safety
    /// Yes: a task whose future is dropped before the meeting is not counted.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = BarrierWaitResult> {
        Wait {
            state: &self.state,
            queue: |waiters| waiters,
            look: |waiters: &mut Waiters<()>, seen| match seen {
                Seen::New if waiters.len() + 1 >= self.needed => {
                    Some((BarrierWaitResult(true), waiters.pop_all()))
                }
                Seen::Taken => Some((BarrierWaitResult(false), Wakers::default())),
                Seen::New | Seen::Queued => None,
            },
            reason: WaitReason::CondWait,
            location: Location::caller(),
            place: None,
        }
    }
}

/// What a [`Barrier`] tells each task of a meeting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this task was the last to come.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
