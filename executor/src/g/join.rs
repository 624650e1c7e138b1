//! The handle's side of a task: result, abort, and the waker of whoever joins.

#![expect(
    unsafe_code,
    reason = "reads the output and the join waker slot of a task"
)]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker, ready};

use crate::fork;
use crate::leaf;
use crate::probe::{self, WaitReason};
use crate::ready as enqueue;

use super::header::{Header, ReadyG, TaskRef};
use super::state::{OnWake, Snapshot};
use super::waker::SlimWaker;

/// This file, which no task of a program waits in.
pub(crate) const FILE: &str = file!();

/// Why a task gave no output: it was cancelled, or it panicked.
pub struct JoinError {
    id: u64,
    /// None: cancelled. Boxed, because every task has room for it; the mutex
    /// makes it Sync, which a bare payload is not.
    panic: Option<Box<Panic>>,
}

struct Panic {
    payload: crate::sync::Mutex<Box<dyn Any + Send>>,
    /// Whether it is told if nobody awaits the task (panics.rs).
    tell_unread: bool,
}

impl JoinError {
    pub(crate) fn cancelled(id: u64) -> JoinError {
        JoinError { id, panic: None }
    }

    pub(crate) fn panicked(id: u64, payload: Box<dyn Any + Send>, tell_unread: bool) -> JoinError {
        JoinError {
            id,
            panic: Some(Box::new(Panic {
                payload: crate::sync::Mutex::new(payload),
                tell_unread,
            })),
        }
    }

    /// Calls `tell` with the payload of a panic that must not go unread.
    pub(crate) fn if_untold(&self, tell: impl FnOnce(&(dyn Any + Send))) {
        if let Some(panic) = self.panic.as_ref().filter(|panic| panic.tell_unread) {
            tell(&**crate::sync::lock(&panic.payload));
        }
    }

    /// Whether the task was cancelled: by `abort`, by shutdown, or because its
    /// runtime had shut down before it was spawned.
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// The panic's payload, unchanged.
    ///
    /// # Panics
    /// If the task was cancelled: ask [`JoinError::is_panic`] first or use
    /// [`JoinError::try_into_panic`].
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        self.try_into_panic().unwrap_or_else(|error| {
            panic!("the task was cancelled and did not panic ({error}): use try_into_panic")
        })
    }

    /// The panic's payload, unchanged.
    ///
    /// # Errors
    /// The error itself if the task was cancelled.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.panic {
            Some(panic) => Ok(panic
                .payload
                .into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner)),
            None => Err(self),
        }
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        Id(self.id)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.panic {
            None => write!(f, "task {} was cancelled", self.id),
            Some(panic) => {
                write!(f, "task {} panicked", self.id)?;
                match panic_message(&**crate::sync::lock(&panic.payload)) {
                    Some(message) => write!(f, " with message {message:?}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> std::io::Error {
        std::io::Error::other(error)
    }
}

/// The text of a panic payload, if it has one.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// The number of a task, Go's goroutine id: unique in its runtime, not dense
/// and not in order of creation across threads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Id(pub(crate) u64);

impl Id {
    /// The number itself, as dumps print it.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The right to a task's result. Awaiting it gives the output, or the
/// [`JoinError`] of a task that panicked or was cancelled. Dropping it detaches
/// the task, which then runs on.
///
/// # Cancel safety
/// Awaiting `&mut handle` may be cancelled at any time; the output stays.
pub struct JoinHandle<T> {
    task: NonNull<Header>,
    output: PhantomData<T>,
}

// SAFETY: the handle moves a `T` out of the task to the thread that awaits it,
// and otherwise reaches atomics only.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: nothing of the `T` is reachable through a shared handle.
unsafe impl<T: Send> Sync for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}
impl<T> std::panic::UnwindSafe for JoinHandle<T> {}
impl<T> std::panic::RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    /// `task` was allocated with output `T` and its first handle is unclaimed.
    pub(crate) unsafe fn new(task: NonNull<Header>) -> JoinHandle<T> {
        JoinHandle {
            task,
            output: PhantomData,
        }
    }

    fn header(&self) -> &Header {
        // SAFETY: counted.
        unsafe { self.task.as_ref() }
    }

    /// Asks the task to end: its future is dropped at its next suspension point
    /// and the handle gives a cancelled [`JoinError`]. A task that has ended
    /// keeps its output.
    pub fn abort(&self) {
        abort(self.task);
    }

    /// A handle that can only abort; any number of them may exist.
    pub fn abort_handle(&self) -> AbortHandle {
        // SAFETY: alive: this handle is counted.
        AbortHandle(unsafe { TaskRef::new(self.task) })
    }

    /// Whether the task has ended. After an abort this stays false until the
    /// future is dropped.
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_dead()
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        Id(self.header().goid)
    }

    /// The output, if the task has ended.
    pub(crate) fn take_now(self) -> Option<Result<T, JoinError>> {
        // SAFETY: asked only once: the handle is consumed.
        self.is_finished().then(|| unsafe { self.take_output() })
    }

    /// # Safety
    /// The task is dead. A second call panics.
    unsafe fn take_output(&self) -> Result<T, JoinError> {
        let mut output = MaybeUninit::<Result<T, JoinError>>::uninit();
        // SAFETY: the task is dead and had a handle, so its output is stored and
        // ours; the place has the output's type.
        unsafe { (self.header().vtable.take_output)(self.task, output.as_mut_ptr().cast()) };
        // SAFETY: take_output wrote it or panicked.
        unsafe { output.assume_init() }
    }

    // Few closures block, and many handles are awaited: out of line.
    #[inline(never)]
    fn park_blocking(&self, location: &'static Location<'static>) {
        leaf::park_joining(WaitReason::Blocking, location, self.header());
    }

    /// Before its task has ended nobody waits for it any more.
    #[inline(never)]
    fn unpark(&self) {
        let header = self.header();
        let reason = if header.vtable.blocks {
            WaitReason::Blocking
        } else {
            WaitReason::Join
        };
        leaf::unpark_joining(reason, header);
    }

    /// Registers `waker`; false: the task has ended.
    fn register(&self, snapshot: Snapshot, waker: &Waker) -> bool {
        let header = self.header();
        // A published waker belongs to the M that completes the task, so it is
        // taken back before it is even looked at.
        if snapshot.has_join_waker() && !header.state.retract_join_waker() {
            return false;
        }
        // SAFETY: JOIN_WAKER is clear, so the slot is the handle's.
        if !unsafe { header.join_waker.will_wake(waker) } {
            let waker = SlimWaker::new(waker.clone());
            // SAFETY: as above.
            drop(unsafe { header.join_waker.replace(Some(waker)) });
        }
        header.state.publish_join_waker()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(leaf::poll_check(cx));
        let snapshot = self.header().state.load();
        assert!(
            snapshot.is_dead() || !snapshot.is_elsewhere(),
            "{}",
            fork::CURE
        );
        if !snapshot.is_dead() && self.register(snapshot, cx.waker()) {
            if self.header().vtable.blocks {
                self.park_blocking(Location::caller());
            } else {
                leaf::park_joining(WaitReason::Join, Location::caller(), self.header());
            }
            return Poll::Pending;
        }
        // SAFETY: dead, as loaded or as register found.
        Poll::Ready(unsafe { self.take_output() })
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let header = self.header();
        let before = header.state.drop_join_interest();
        if !before.is_dead() || !before.has_join_waker() {
            // SAFETY: not published to a completing M, so the slot is ours.
            drop(unsafe { header.join_waker.replace(None) });
        }
        if !before.is_dead() && before.has_join_waker() {
            self.unpark();
        }
        if before.is_dead() {
            // SAFETY: the task is dead and left its output to the handle.
            unsafe { (header.vtable.drop_output)(self.task) };
        }
        // SAFETY: this handle's count passes to the reference.
        drop(unsafe { TaskRef::from_counted(self.task) });
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.header().goid)
            .field("state", &self.header().state)
            .finish()
    }
}

/// Aborts a task from anywhere, without a right to its output.
#[derive(Clone)]
pub struct AbortHandle(TaskRef);

impl AbortHandle {
    /// See [`JoinHandle::abort`].
    pub fn abort(&self) {
        abort(self.0.ptr());
    }

    /// See [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.0.header().state.load().is_dead()
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        Id(self.0.header().goid)
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AbortHandle").field(&self.0).finish()
    }
}

/// Aborts a task that the caller holds a reference to.
pub(crate) fn abort(task: NonNull<Header>) {
    // SAFETY: the caller holds a reference.
    let header = unsafe { task.as_ref() };
    probe::before_change(header);
    if header.state.abort() == OnWake::Enqueue {
        // SAFETY: this thread won edge 6.
        enqueue::ready(unsafe { ReadyG::from_ptr(task) });
    }
}

/// The completing M's side of edge 5: hands the output over or drops it, and
/// wakes whoever joins.
///
/// # Safety
/// The caller runs the task, its stage holds the output.
pub(crate) unsafe fn complete(task: NonNull<Header>) {
    // SAFETY: the task is alive: its own life is dropped by the caller later.
    let header = unsafe { task.as_ref() };
    let snapshot = header.state.complete();
    if !snapshot.has_join_interest() {
        // SAFETY: no handle is left to want it.
        unsafe { (header.vtable.drop_output)(task) };
    } else if snapshot.has_join_waker() {
        // SAFETY: edge 5 with JOIN_WAKER set: the slot is ours for good.
        let waker = unsafe { header.join_waker.replace(None) };
        if let Some(waker) = waker {
            probe::contain(|| waker.into_waker().wake());
        }
    }
}
