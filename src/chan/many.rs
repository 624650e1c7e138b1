//! Receiving as many values as there are.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::future::FusedFuture;

use super::receiver::{Receiver, Receiving};
use super::state::Found;
use crate::sync::waiters::Wakers;

impl<T> Receiver<T> {
    /// Receives what there is, up to `limit` values, and waits for one if there is
    /// none. They are appended to `buffer`; how many comes back. 0 says that the
    /// channel is closed and empty, or that `limit` is 0.
    ///
    /// # Cancel safety
    /// Yes: nothing is in `buffer` before the future ends, and nothing is lost: see
    /// [`Receiver::recv`].
    ///
    /// ```
    /// # gmp::block_on(async {
    /// let (tx, rx) = gmp::chan::unbounded();
    /// for n in 0..5 {
    ///     tx.try_send(n).expect("never full");
    /// }
    /// let mut batch = Vec::new();
    /// assert_eq!(rx.recv_many(&mut batch, 3).await, 3);
    /// assert_eq!(rx.recv_many(&mut batch, 3).await, 2);
    /// assert_eq!(batch, [0, 1, 2, 3, 4]);
    /// drop(tx);
    /// assert_eq!(rx.recv_many(&mut batch, 3).await, 0);
    /// # });
    /// ```
    #[track_caller]
    pub fn recv_many<'a>(&'a self, buffer: &'a mut Vec<T>, limit: usize) -> ReceivingMany<'a, T> {
        ReceivingMany {
            first: self.recv_at(Location::caller()),
            receiver: self,
            buffer,
            limit,
            ended: false,
        }
    }

    /// Moves up to `most` values that are there into `buffer`, which has room.
    fn take_many(&self, buffer: &mut Vec<T>, most: usize) -> usize {
        let mut wakers = Wakers::default();
        let mut taken = 0;
        {
            let mut state = self.channel().lock();
            while taken < most
                && let Found::Value(value, waker) = state.receive()
            {
                buffer.push(value);
                wakers.add(waker);
                taken += 1;
            }
        }
        wakers.wake();
        taken
    }
}

/// The future of [`Receiver::recv_many`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReceivingMany<'a, T> {
    receiver: &'a Receiver<T>,
    first: Receiving<'a, T>,
    buffer: &'a mut Vec<T>,
    limit: usize,
    ended: bool,
}

impl<T> Future for ReceivingMany<'_, T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = self.get_mut();
        let Some(more) = this.limit.checked_sub(1) else {
            this.ended = true;
            return Poll::Ready(0);
        };
        let first = ready!(Pin::new(&mut this.first).poll(cx));
        this.ended = true;
        let Ok(first) = first else {
            return Poll::Ready(0);
        };
        // Room for what is there now, since nothing is allocated under the lock.
        let more = more.min(this.receiver.len());
        this.buffer.reserve(more + 1);
        this.buffer.push(first);
        Poll::Ready(1 + this.receiver.take_many(this.buffer, more))
    }
}

impl<T> FusedFuture for ReceivingMany<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> fmt::Debug for ReceivingMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivingMany")
            .field("first", &self.first)
            .field("limit", &self.limit)
            .finish()
    }
}
