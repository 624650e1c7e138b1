//! One task tells another that something has changed.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use gmp_executor::{WaitReason, leaf};

use super::waiters::{Key, Waiters, lock, wake};

/// Tells tasks that something has changed, with no value of its own.
///
/// [`notify_one`](Notify::notify_one) wakes the one that waits longest; if nobody
/// waits, the next one to come finds a permit and does not wait. Several calls
/// before it leave one permit. [`notify_waiters`](Notify::notify_waiters) wakes
/// all who wait, and leaves nothing.
///
/// ```
/// use std::sync::Arc;
/// use gmp::sync::Notify;
///
/// # gmp::block_on(async {
/// let changed = Arc::new(Notify::new());
/// let waiter = gmp::spawn({
///     let changed = changed.clone();
///     async move { changed.notified().await }
/// });
/// // Before or after the waiter is there: it gets it.
/// changed.notify_one();
/// waiter.await.expect("no panic");
/// # });
/// ```
#[derive(Debug)]
pub struct Notify {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    permit: bool,
    /// How often all were notified.
    rounds: u64,
    /// Each with what it must pass on if it goes away.
    waiters: Waiters<Told>,
}

/// Who was to be told, of a waiter that was alone told.
#[derive(Clone, Copy, Debug)]
enum Told {
    Nobody,
    First,
    Last,
}

impl Notify {
    /// Without a permit. Works in a `static`.
    pub const fn new() -> Notify {
        Notify {
            state: Mutex::new(State {
                permit: false,
                rounds: 0,
                waiters: Waiters::new(),
            }),
        }
    }

    /// As [`Notify::new`], under the name that Tokio has for statics.
    pub const fn const_new() -> Notify {
        Notify::new()
    }

    /// Waits to be notified. A call of [`notify_waiters`](Notify::notify_waiters)
    /// counts from the moment this returns, though nothing was polled yet; for
    /// [`notify_one`](Notify::notify_one) the place in the queue is taken by the
    /// first poll or by [`Notified::enable`].
    ///
    /// # Cancel safety
    /// Yes; the place in the queue is lost, and a notification that was meant for
    /// this one goes to the next, or stays as a permit.
    #[track_caller]
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            place: self.place(Location::caller()),
        }
    }

    /// As [`notified`](Notify::notified), with a share of the notifier: for a task of
    /// its own.
    ///
    /// # Cancel safety
    /// As there.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// # gmp::block_on(async {
    /// let changed = Arc::new(gmp::sync::Notify::new());
    /// let told = gmp::spawn(changed.clone().notified_owned());
    /// changed.notify_waiters();
    /// told.await.expect("no panic");
    /// # });
    /// ```
    #[track_caller]
    pub fn notified_owned(self: Arc<Self>) -> OwnedNotified {
        let place = self.place(Location::caller());
        OwnedNotified {
            notify: self,
            place,
        }
    }

    fn place(&self, location: &'static Location<'static>) -> Place {
        Place {
            rounds: lock(&self.state).rounds,
            stage: Stage::New,
            location,
        }
    }

    /// Wakes the one that waits longest, or leaves a permit.
    pub fn notify_one(&self) {
        // The lock ends with this statement.
        let waker = lock(&self.state).notify(Told::First);
        wake(waker);
    }

    /// Wakes the one that has waited for the shortest time, or leaves a permit: of
    /// several workers the one whose caches are warm, while others stay idle.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let work = gmp::sync::Notify::new();
    /// let (mut first, mut last) = (Box::pin(work.notified()), Box::pin(work.notified()));
    /// assert!(!first.as_mut().enable() && !last.as_mut().enable());
    /// work.notify_last();
    /// last.await;
    /// assert!(!first.as_mut().enable());
    /// # });
    /// ```
    pub fn notify_last(&self) {
        // The lock ends with this statement.
        let waker = lock(&self.state).notify(Told::Last);
        wake(waker);
    }

    /// Wakes all who wait, and those whose [`notified`](Notify::notified) was
    /// called before. Leaves no permit.
    pub fn notify_waiters(&self) {
        let mut state = lock(&self.state);
        state.rounds += 1;
        let wakers = state.waiters.pop_all();
        drop(state);
        wakers.wake();
    }
}

impl State {
    #[must_use = "it was notified"]
    fn notify(&mut self, whom: Told) -> Option<Waker> {
        let found = match whom {
            Told::Nobody => return None,
            Told::First => self.waiters.pop(),
            Told::Last => self.waiters.pop_back(),
        };
        let Some((told, waker)) = found else {
            self.permit = true;
            return None;
        };
        *told = whom;
        waker
    }
}

impl Default for Notify {
    fn default() -> Notify {
        Notify::new()
    }
}

/// The future of [`Notify::notified`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    place: Place,
}

impl Notified<'_> {
    /// Takes a place in the queue without waiting. Returns whether it was notified
    /// already; then awaiting it returns at once.
    ///
    /// So a task can first say that it listens, then look whether there is
    /// something to do, and only then wait: nothing in between is missed.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let changed = gmp::sync::Notify::new();
    /// let mut told = std::pin::pin!(changed.notified());
    /// assert!(!told.as_mut().enable());
    /// changed.notify_one();
    /// told.await;
    /// # });
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.get_mut();
        this.place.step(this.notify, None).is_ready()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.place.poll(this.notify, cx)
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        self.place.leave(self.notify);
    }
}

/// The future of [`Notify::notified_owned`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct OwnedNotified {
    notify: Arc<Notify>,
    place: Place,
}

impl OwnedNotified {
    /// As [`Notified::enable`].
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.get_mut();
        this.place.step(&this.notify, None).is_ready()
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.place.poll(&this.notify, cx)
    }
}

impl Drop for OwnedNotified {
    fn drop(&mut self) {
        self.place.leave(&self.notify);
    }
}

/// One that waits for a notifier, or has not begun to.
#[derive(Debug)]
struct Place {
    rounds: u64,
    stage: Stage,
    location: &'static Location<'static>,
}

#[derive(Debug)]
enum Stage {
    New,
    Waiting(Key),
    Over,
}

impl Place {
    fn step(&mut self, notify: &Notify, waker: Option<&Waker>) -> Poll<()> {
        let mut state = lock(&notify.state);
        match &self.stage {
            Stage::Over => return Poll::Ready(()),
            Stage::New if self.rounds != state.rounds => {}
            Stage::New if state.permit => state.permit = false,
            Stage::New => {
                self.stage = Stage::Waiting(state.waiters.push(waker, Told::Nobody));
                return Poll::Pending;
            }
            Stage::Waiting(key) if state.waiters.is_queued(key) => {
                let former = waker.and_then(|waker| state.waiters.set_waker(key, waker));
                drop(state);
                drop(former);
                return Poll::Pending;
            }
            Stage::Waiting(_) => {}
        }
        if let Stage::Waiting(key) = std::mem::replace(&mut self.stage, Stage::Over) {
            // Its waker was taken when it left the queue.
            let _removed = state.waiters.remove(key);
        }
        Poll::Ready(())
    }

    fn poll(&mut self, notify: &Notify, cx: &mut Context<'_>) -> Poll<()> {
        ready!(leaf::poll_check(cx));
        let step = self.step(notify, Some(cx.waker()));
        if step.is_pending() {
            leaf::park(WaitReason::CondWait, self.location);
        }
        step
    }

    /// Gives the place up, and passes on what it was told.
    fn leave(&mut self, notify: &Notify) {
        let Stage::Waiting(key) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        let mut state = lock(&notify.state);
        let removed = state.waiters.remove(key);
        let waker = state.notify(removed.note);
        drop(state);
        drop(removed);
        wake(waker);
        leaf::unpark_at(self.location);
    }
}
