//! A set of tasks that are awaited in the order in which they end.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use gmp_executor::{WaitReason, leaf};

use super::{AbortHandle, Id, JoinError, JoinHandle};
use crate::leaf_fn::leaf_fn;
use crate::runtime::Handle;

/// Tasks of one output type. Dropping the set aborts them all.
///
/// ```
/// # gmp::block_on(async {
/// let mut set = gmp::task::JoinSet::new();
/// for n in 0..3 {
///     set.spawn(async move { n * n });
/// }
/// let mut squares = set.join_all().await;
/// squares.sort();
/// assert_eq!(squares, [0, 1, 4]);
/// # });
/// ```
pub struct JoinSet<T> {
    /// By their places in the set: ids are unique in one runtime only.
    tasks: HashMap<u64, (JoinHandle<T>, Waker)>,
    next_place: u64,
    ended: Arc<Ended>,
}

/// Places whose handle was woken, and who waits for the next one.
#[derive(Default)]
struct Ended {
    inner: Mutex<EndedInner>,
}

#[derive(Default)]
struct EndedInner {
    places: VecDeque<u64>,
    waiter: Option<Waker>,
}

/// The waker of one handle: notes its place.
struct Note {
    place: u64,
    ended: Arc<Ended>,
}

impl Ended {
    fn with<R>(&self, f: impl FnOnce(&mut EndedInner) -> R) -> R {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waiter = self.ended.with(|ended| {
            ended.places.push_back(self.place);
            ended.waiter.take()
        });
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl<T: 'static> JoinSet<T> {
    /// An empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet {
            tasks: HashMap::new(),
            next_place: 0,
            ended: Arc::default(),
        }
    }

    /// How many tasks have not been joined.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether every task has been joined.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Spawns a task into the set.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(super::spawn(future))
    }

    /// Spawns a task on another runtime into the set.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn(future))
    }

    /// Spawns a task with a name into the set.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let mut set = gmp::task::JoinSet::new();
    /// set.spawn_with(gmp::task::Builder::new().name("reader"), async { 1 });
    /// assert_eq!(set.join_next().await.expect("one task").expect("no panic"), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_with<F>(&mut self, builder: super::Builder<'_>, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(builder.spawn(future))
    }

    /// Spawns a task of this thread's `block_on` into the set.
    ///
    /// # Panics
    /// As [`super::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(super::spawn_local(future))
    }

    /// Runs a closure that may block as a task of the set.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(super::spawn_blocking(f))
    }

    /// Runs a closure that may block as a task of another runtime in the set.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn_blocking(f))
    }

    fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let place = self.next_place;
        self.next_place += 1;
        let note = Arc::new(Note {
            place,
            ended: self.ended.clone(),
        });
        // Noted as if it had ended: the first poll registers the waker.
        note.wake_by_ref();
        self.tasks.insert(place, (handle, note.into()));
        abort
    }

    /// The result of the task that ends next; None if the set is empty.
    ///
    /// # Cancel safety
    /// Yes: a result is taken only when it is returned.
    #[track_caller]
    pub fn join_next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        self.next_at(Location::caller())
    }

    /// As [`JoinSet::join_next`], with the task's id.
    #[track_caller]
    pub fn join_next_with_id(
        &mut self,
    ) -> impl Future<Output = Option<Result<(Id, T), JoinError>>> {
        let location = Location::caller();
        leaf_fn(location, move |cx| self.poll_at(cx, location))
    }

    fn next_at(
        &mut self,
        location: &'static Location<'static>,
    ) -> impl Future<Output = Option<Result<T, JoinError>>> {
        leaf_fn(location, move |cx| {
            self.poll_at(cx, location).map(without_id)
        })
    }

    /// The result of a task that has ended, without waiting.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id()
            .map(|joined| joined.map(|(_, value)| value))
    }

    /// As [`JoinSet::try_join_next`], with the task's id.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.poll_ended(&mut cx) {
            Poll::Ready(joined) => joined,
            Poll::Pending => None,
        }
    }

    /// Polls for the next result.
    #[track_caller]
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_at(cx, Location::caller()).map(without_id)
    }

    /// Polls for the next result, with its id.
    #[track_caller]
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        self.poll_at(cx, Location::caller())
    }

    fn poll_at(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if leaf::poll_check(cx).is_pending() {
            return Poll::Pending;
        }
        let next = self.poll_ended(cx);
        if next.is_pending() {
            leaf::park(WaitReason::Join, location);
        }
        next
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(Id, T), JoinError>>> {
        loop {
            if self.tasks.is_empty() {
                return Poll::Ready(None);
            }
            let next = self.ended.with(|ended| {
                let next = ended.places.pop_front();
                if next.is_none() {
                    ended.waiter = Some(cx.waker().clone());
                }
                next
            });
            let Some(place) = next else {
                return Poll::Pending;
            };
            let Some((handle, waker)) = self.tasks.get_mut(&place) else {
                continue;
            };
            let id = handle.id();
            let mut theirs = Context::from_waker(waker);
            let polled = leaf::unconstrained(|| Pin::new(handle).poll(&mut theirs));
            if let Poll::Ready(result) = polled {
                self.tasks.remove(&place);
                return Poll::Ready(Some(result.map(|value| (id, value))));
            }
        }
    }

    /// Waits for all tasks and returns their outputs in the order of their ends.
    ///
    /// # Panics
    /// With a task's panic, or if one was cancelled.
    #[track_caller]
    pub fn join_all(mut self) -> impl Future<Output = Vec<T>> {
        let location = Location::caller();
        async move {
            let mut outputs = Vec::with_capacity(self.len());
            while let Some(joined) = self.next_at(location).await {
                match joined {
                    Ok(output) => outputs.push(output),
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(error) => panic!("{error}"),
                    },
                }
            }
            outputs
        }
    }

    /// Aborts all tasks; their results can still be joined.
    pub fn abort_all(&mut self) {
        for (handle, _) in self.tasks.values() {
            handle.abort();
        }
    }

    /// Aborts all tasks and waits for their ends.
    #[track_caller]
    pub fn shutdown(&mut self) -> impl Future<Output = ()> {
        let location = Location::caller();
        async move {
            self.abort_all();
            while self.next_at(location).await.is_some() {}
        }
    }

    /// Lets all tasks go on by themselves.
    pub fn detach_all(&mut self) {
        self.tasks.clear();
    }
}

fn without_id<T>(joined: Option<Result<(Id, T), JoinError>>) -> Option<Result<T, JoinError>> {
    joined.map(|joined| joined.map(|(_, value)| value))
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        for (handle, _) in self.tasks.values() {
            handle.abort();
        }
    }
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn from_iter<I: IntoIterator<Item = F>>(iter: I) -> JoinSet<T> {
        let mut set = JoinSet::new();
        for future in iter {
            set.spawn(future);
        }
        set
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet")
            .field("len", &self.tasks.len())
            .finish_non_exhaustive()
    }
}
