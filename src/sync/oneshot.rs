//! One value from one task to another.
//!
//! ```
//! use gmp::sync::oneshot;
//!
//! # gmp::block_on(async {
//! let (tx, rx) = oneshot::channel();
//! drop(gmp::spawn(async move { tx.send(6 * 7) }));
//! assert_eq!(rx.await, Ok(42));
//! # });
//! ```

pub mod error;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use futures::future::FusedFuture;
use gmp_executor::{WaitReason, leaf};

pub use self::error::{RecvError, TryRecvError};

use super::waiters::{lock, wake};
use crate::leaf_fn::leaf_fn;

/// A channel for one value.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Mutex::new(State {
        value: None,
        sender_gone: false,
        closed: false,
        receiver: None,
        sender: None,
    }));
    let sender = Sender {
        shared: shared.clone(),
    };
    let receiver = Receiver {
        shared,
        ended: false,
        made: Location::caller(),
    };
    (sender, receiver)
}

struct State<T> {
    value: Option<T>,
    sender_gone: bool,
    /// The receiver takes nothing more.
    closed: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

/// Makes `waker` the one to wake; the former is dropped after the lock.
fn replace(place: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    match place {
        Some(old) if old.will_wake(waker) => None,
        _ => place.replace(waker.clone()),
    }
}

/// Sends one value.
///
/// ```
/// let (tx, rx) = gmp::sync::oneshot::channel();
/// drop(rx);
/// assert!(tx.is_closed());
/// assert_eq!(tx.send("nobody listens"), Err("nobody listens"));
/// ```
pub struct Sender<T> {
    shared: Arc<Mutex<State<T>>>,
}

impl<T> Sender<T> {
    /// Sends `value`; never waits.
    ///
    /// # Errors
    /// With the value, if the receiver is gone or has closed the channel.
    pub fn send(self, value: T) -> Result<(), T> {
        let mut state = lock(&self.shared);
        if state.closed {
            return Err(value);
        }
        state.value = Some(value);
        let waker = state.receiver.take();
        drop(state);
        wake(waker);
        Ok(())
    }

    /// Whether the receiver is gone or has closed the channel.
    pub fn is_closed(&self) -> bool {
        lock(&self.shared).closed
    }

    /// Waits until the receiver is gone or has closed the channel.
    ///
    /// # Cancel safety
    /// Yes.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (mut tx, rx) = gmp::sync::oneshot::channel::<u32>();
    /// let waits = gmp::spawn(async move { tx.closed().await });
    /// drop(rx);
    /// waits.await.expect("no panic");
    /// # });
    /// ```
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = ()> {
        let location = Location::caller();
        leaf_fn(location, move |cx| self.poll_closed_at(cx, location))
    }

    /// One step of [`Sender::closed`]; the task of the last call is woken.
    #[track_caller]
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_closed_at(cx, Location::caller())
    }

    fn poll_closed_at(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<()> {
        ready!(leaf::poll_check(cx));
        let mut state = lock(&self.shared);
        if state.closed {
            return Poll::Ready(());
        }
        let former = replace(&mut state.sender, cx.waker());
        drop(state);
        drop(former);
        leaf::park(WaitReason::ChanSend, location);
        Poll::Pending
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.sender_gone = true;
        let (receiver, sender) = (state.receiver.take(), state.sender.take());
        drop(state);
        drop(sender);
        wake(receiver);
    }
}

/// Receives the value: a future, `Unpin` and fused.
///
/// # Cancel safety
/// Awaited by `&mut`, yes: the value stays until it is taken.
///
/// ```
/// use std::time::Duration;
///
/// # gmp::block_on(async {
/// let (tx, mut rx) = gmp::sync::oneshot::channel();
/// assert!(gmp::time::timeout(Duration::from_millis(1), &mut rx).await.is_err());
/// tx.send("late").expect("the receiver lives");
/// assert_eq!(rx.await, Ok("late"));
/// # });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Receiver<T> {
    shared: Arc<Mutex<State<T>>>,
    ended: bool,
    /// Where the channel was made: an await of the receiver itself has no call.
    made: &'static Location<'static>,
}

impl<T> Receiver<T> {
    /// Takes the value if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] while it may still come; [`TryRecvError::Closed`]
    /// if it will not, or was taken.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let mut state = lock(&self.shared);
        match state.value.take() {
            Some(value) => {
                self.ended = true;
                Ok(value)
            }
            None if state.sender_gone || state.closed => {
                self.ended = true;
                Err(TryRecvError::Closed)
            }
            None => Err(TryRecvError::Empty),
        }
    }

    /// Whether no value is there: none was sent, or it was taken.
    ///
    /// ```
    /// let (tx, mut rx) = gmp::sync::oneshot::channel();
    /// assert!(rx.is_empty());
    /// tx.send(7).expect("the receiver lives");
    /// assert!(!rx.is_empty() && !rx.is_terminated());
    /// assert_eq!(rx.try_recv(), Ok(7));
    /// assert!(rx.is_empty() && rx.is_terminated());
    /// ```
    pub fn is_empty(&self) -> bool {
        lock(&self.shared).value.is_none()
    }

    /// Whether the value was received, or it was found that none will come: it is not
    /// to be awaited again.
    pub fn is_terminated(&self) -> bool {
        self.ended
    }

    /// Takes nothing more: a send from now on fails. A value that was sent before
    /// is still there.
    pub fn close(&mut self) {
        let mut state = lock(&self.shared);
        state.closed = true;
        let waker = state.sender.take();
        drop(state);
        wake(waker);
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(leaf::poll_check(cx));
        let mut state = lock(&this.shared);
        if let Some(value) = state.value.take() {
            this.ended = true;
            return Poll::Ready(Ok(value));
        }
        if state.sender_gone || state.closed {
            this.ended = true;
            return Poll::Ready(Err(RecvError));
        }
        let former = replace(&mut state.receiver, cx.waker());
        drop(state);
        drop(former);
        leaf::park(WaitReason::ChanReceive, this.made);
        Poll::Pending
    }
}

impl<T> FusedFuture for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.closed = true;
        let (value, receiver) = (state.value.take(), state.receiver.take());
        let sender = state.sender.take();
        drop(state);
        if receiver.is_some() {
            leaf::unpark_at(self.made);
        }
        drop((value, receiver));
        wake(sender);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
