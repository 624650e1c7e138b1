//! Channels with the semantics of Go's, between any tasks and threads.
//!
//! [`bounded`] keeps up to that many values; `bounded(0)` keeps none: a sender
//! and a receiver meet (a rendezvous). [`unbounded`] never makes a sender wait.
//! Both ends can be cloned: each value goes to one receiver.
//!
//! - Values come out in the order in which they went in.
//! - Whoever waits longest is served first, senders and receivers alike. A value
//!   is handed to the first waiting receiver itself: no later one takes it away.
//! - After [`Sender::close`] (or [`Receiver::close`], or the drop of the last
//!   sender) the values that are inside still come out, then receiving fails.
//!   Sending fails at once and gives the value back; nothing panics. A permit that
//!   was taken before still sends, and receivers wait for it.
//! - The drop of the last receiver closes the channel and drops what is inside.
//!
//! A future that is dropped loses nothing of the channel's: see the notes on
//! [`Sender::send`] and [`Receiver::recv`]. Both futures are `Unpin` and fused, so
//! they stand in [`gmp::select!`](crate::select!) as they are:
//!
//! ```
//! # gmp::block_on(async {
//! let (numbers, mut number) = gmp::chan::bounded(1);
//! let (_words, word) = gmp::chan::bounded::<&str>(1);
//! numbers.send(7).await.expect("the receiver lives");
//! let first = gmp::select! {
//!     n = number.recv() => n.expect("open").to_string(),
//!     w = word.recv() => w.expect("open").to_owned(),
//! };
//! assert_eq!(first, "7");
//!
//! // A receiver is a stream as well.
//! use futures::StreamExt;
//! let producer = gmp::spawn(async move {
//!     for n in 0..3 {
//!         numbers.send(n).await.expect("the receiver lives");
//!     }
//! });
//! let mut sum = 0;
//! while let Some(n) = number.next().await {
//!     sum += n;
//! }
//! assert_eq!(sum, 3);
//! # producer.await.expect("no panic");
//! # });
//! ```
//!
//! A channel needs no runtime: it wakes whatever waits, a thread in
//! [`block_on`](crate::block_on) too.

mod closing;
mod ends;
mod errors;
mod many;
mod permit;
mod receiver;
mod reserve;
mod sender;
mod state;
mod timed;
mod weak;

use std::panic::Location;
use std::sync::Arc;

pub use self::closing::Closing;
pub use self::errors::{RecvError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use self::many::ReceivingMany;
pub use self::permit::{OwnedPermit, Permit, PermitIterator};
pub use self::receiver::{Receiver, Receiving};
pub use self::reserve::{Reserving, ReservingMany, ReservingOwned};
pub use self::sender::{Sender, Sending};
pub use self::timed::SendingTimed;
pub use self::weak::WeakSender;

use self::state::Channel;

/// A channel that keeps up to `capacity` values; of 0, one that hands each value
/// from a sender to a receiver. No memory is set aside for values to come.
///
/// ```
/// # gmp::block_on(async {
/// let (tx, rx) = gmp::chan::bounded(0);
/// let sender = gmp::spawn(async move { tx.send("met").await });
/// assert_eq!(rx.recv().await, Ok("met"));
/// sender.await.expect("no panic").expect("received");
/// # });
/// ```
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(Some(capacity))
}

/// A channel that keeps any number of values: a send never waits, and memory is
/// the limit.
///
/// ```
/// let (tx, rx) = gmp::chan::unbounded();
/// tx.try_send(1).expect("never full");
/// tx.try_send(2).expect("never full");
/// assert_eq!((rx.try_recv(), rx.len()), (Ok(1), 1));
/// ```
#[track_caller]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    pair(None)
}

#[track_caller]
fn pair<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(capacity));
    (
        Sender::new(channel.clone()),
        Receiver::new(channel, Location::caller()),
    )
}
