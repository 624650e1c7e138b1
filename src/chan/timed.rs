//! Sending with a limit of time, after which the value comes back.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::FusedFuture;

use super::errors::SendTimeoutError;
use super::sender::{Sender, Sending};
use crate::time::{Sleep, sleep};

impl<T> Sender<T> {
    /// Sends `value`, and waits for room up to `time` long.
    ///
    /// # Errors
    /// With the value: [`SendTimeoutError::Timeout`] if there was no room in time;
    /// [`SendTimeoutError::Closed`].
    ///
    /// # Cancel safety
    /// As [`Sender::send`].
    ///
    /// ```
    /// use gmp::chan::SendTimeoutError;
    /// use std::time::Duration;
    ///
    /// # gmp::block_on(async {
    /// let (tx, _rx) = gmp::chan::bounded(1);
    /// let patience = Duration::from_millis(1);
    /// tx.send_timeout("first", patience).await.expect("room");
    /// let error = tx.send_timeout("second", patience).await;
    /// assert_eq!(error, Err(SendTimeoutError::Timeout("second")));
    /// # });
    /// ```
    #[track_caller]
    pub fn send_timeout(&self, value: T, time: Duration) -> SendingTimed<'_, T> {
        SendingTimed {
            sending: self.send(value),
            limit: sleep(time),
        }
    }
}

/// The future of [`Sender::send_timeout`].
#[must_use = "futures do nothing unless awaited"]
pub struct SendingTimed<'a, T> {
    sending: Sending<'a, T>,
    limit: Sleep,
}

impl<T> Future for SendingTimed<'_, T> {
    type Output = Result<(), SendTimeoutError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // The limit first: the wait that a dump shows is that of the send.
        let over = Pin::new(&mut this.limit).poll(cx).is_ready();
        if let Poll::Ready(sent) = Pin::new(&mut this.sending).poll(cx) {
            return Poll::Ready(sent.map_err(|error| SendTimeoutError::Closed(error.0)));
        }
        if !over || !this.sending.is_offered() {
            return Poll::Pending;
        }
        // A receiver may have taken it since, or somebody closed the channel.
        match this.sending.give_up() {
            Some((value, true)) => Poll::Ready(Err(SendTimeoutError::Timeout(value))),
            Some((value, false)) => Poll::Ready(Err(SendTimeoutError::Closed(value))),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<T> FusedFuture for SendingTimed<'_, T> {
    fn is_terminated(&self) -> bool {
        self.sending.is_terminated()
    }
}

impl<T> fmt::Debug for SendingTimed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendingTimed")
            .field("sending", &self.sending)
            .field("limit", &self.limit)
            .finish()
    }
}
