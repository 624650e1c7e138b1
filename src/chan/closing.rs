//! Waiting for the end of a channel.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::FusedFuture;
use gmp_executor::WaitReason;

use super::sender::Sender;
use super::state::State;
use crate::sync::wait::{Seen, Wait};
use crate::sync::waiters::Wakers;

impl<T> Sender<T> {
    /// Waits until the channel is closed, by whichever end: for a producer that
    /// wants to stop as soon as nobody will receive.
    ///
    /// # Cancel safety
    /// Yes: it takes nothing.
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, rx) = gmp::chan::bounded::<u32>(1);
    /// let producer = gmp::spawn(async move {
    ///     let mut work = std::pin::pin!(futures::FutureExt::fuse(std::future::pending()));
    ///     gmp::select! {
    ///         value = work => tx.send(value).await.is_ok(),
    ///         () = tx.closed() => false,
    ///     }
    /// });
    /// drop(rx);
    /// assert!(!producer.await.expect("no panic"));
    /// # });
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closing<'_, T> {
        let wait = Wait {
            state: &self.channel().state,
            queue: |state| &mut state.closing,
            look: (|state, _| state.is_closed().then(|| ((), Wakers::default()))) as Look<T>,
            reason: WaitReason::ChanSend,
            location: Location::caller(),
            place: None,
        };
        Closing { wait, ended: false }
    }
}

type Look<T> = fn(&mut State<T>, Seen) -> Option<((), Wakers)>;

/// The future of [`Sender::closed`].
#[must_use = "futures do nothing unless awaited"]
pub struct Closing<'a, T> {
    wait: Wait<'a, State<T>, Look<T>>,
    ended: bool,
}

impl<T> Future for Closing<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let step = Pin::new(&mut this.wait).poll(cx);
        this.ended = step.is_ready();
        step
    }
}

impl<T> FusedFuture for Closing<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> fmt::Debug for Closing<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing")
            .field("waits", &self.wait.place.is_some())
            .field("ended", &self.ended)
            .finish()
    }
}
