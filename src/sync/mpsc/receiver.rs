//! The end of a channel where values come out.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{FusedFuture, FutureExt};
use futures::stream::{FusedStream, Stream};

use super::error::TryRecvError;
use crate::{block_on, chan};

/// The end of a channel where values come out. Its drop closes the channel and drops
/// what is inside. It is a `Stream` as well.
pub struct Receiver<T>(pub(super) chan::Receiver<T>);

/// The end of an unbounded channel where values come out. Its drop closes the channel
/// and drops what is inside. It is a `Stream` as well.
pub struct UnboundedReceiver<T>(pub(super) chan::Receiver<T>);

/// Both are the same but for their names.
macro_rules! receivers {
    ($($receiver:ident)*) => {$(
        impl<T> $receiver<T> {
            pub(super) fn new(receiver: chan::Receiver<T>) -> $receiver<T> {
                $receiver(receiver)
            }

            /// Receives a value, and waits for one if there is none. `None` once the
            /// channel is closed and empty, and no permit is out.
            ///
            /// # Cancel safety
            /// Yes: nothing is lost.
            #[track_caller]
            pub fn recv(&mut self) -> impl FusedFuture<Output = Option<T>> + Unpin {
                self.0.recv().map(Result::ok)
            }

            /// Receives what there is, up to `limit` values, and waits for one if there
            /// is none. They are appended to `buffer`; how many comes back, 0 once the
            /// channel is closed and empty.
            ///
            /// # Cancel safety
            /// Yes: nothing is lost.
            #[track_caller]
            pub fn recv_many<'a>(
                &'a mut self,
                buffer: &'a mut Vec<T>,
                limit: usize,
            ) -> impl FusedFuture<Output = usize> + Unpin + use<'a, T> {
                self.0.recv_many(buffer, limit)
            }

            /// Receives a value if there is one.
            ///
            /// # Errors
            /// [`TryRecvError::Empty`]; [`TryRecvError::Disconnected`] if nothing will
            /// come any more.
            pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
                Ok(self.0.try_recv()?)
            }

            /// Receives as [`recv`](Self::recv), and blocks the thread meanwhile; works
            /// in tasks.
            #[track_caller]
            pub fn blocking_recv(&mut self) -> Option<T> {
                block_on(self.recv())
            }

            /// Receives as [`recv_many`](Self::recv_many), and blocks the thread
            /// meanwhile; works in tasks.
            #[track_caller]
            pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
                block_on(self.recv_many(buffer, limit))
            }

            /// As [`recv`](Self::recv), for hand-written futures.
            pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
                Pin::new(&mut self.0).poll_next(cx)
            }

            /// Closes the channel: what is inside, and what permits are out for, still
            /// comes out, and every send fails.
            pub fn close(&mut self) {
                self.0.close();
            }

            /// Whether the channel is closed; values may still be inside.
            pub fn is_closed(&self) -> bool {
                self.0.is_closed()
            }

            /// Whether no value is inside.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// How many values are inside.
            pub fn len(&self) -> usize {
                self.0.len()
            }

            /// How many senders there are.
            pub fn sender_strong_count(&self) -> usize {
                self.0.sender_strong_count()
            }

            /// How many senders there are that do not keep the channel open.
            pub fn sender_weak_count(&self) -> usize {
                self.0.sender_weak_count()
            }
        }

        impl<T> Stream for $receiver<T> {
            type Item = T;

            fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
                self.poll_recv(cx)
            }
        }

        impl<T> FusedStream for $receiver<T> {
            fn is_terminated(&self) -> bool {
                self.0.is_terminated()
            }
        }
    )*};
}

receivers!(Receiver UnboundedReceiver);

impl<T> Receiver<T> {
    /// How many more values there is room for.
    pub fn capacity(&self) -> usize {
        self.0.room_left().unwrap_or(usize::MAX)
    }

    /// How many values there is room for at first.
    pub fn max_capacity(&self) -> usize {
        self.0.capacity().unwrap_or(usize::MAX)
    }
}
