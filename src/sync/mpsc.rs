//! Channels of one receiver, in the shapes that Tokio's have: `recv` gives an `Option`,
//! and capacities are numbers. The channels themselves are those of
//! [`chan`], with its order, its hand-off and its wait reasons; new code
//! has clones of receivers there, and the rendezvous.
//!
//! ```
//! use gmp::sync::mpsc;
//!
//! # gmp::block_on(async {
//! let (jobs, mut job) = mpsc::channel(2);
//! gmp::spawn(async move {
//!     for n in 1..=3 {
//!         jobs.send(n).await.expect("the receiver lives");
//!     }
//! });
//! let mut sum = 0;
//! while let Some(n) = job.recv().await {
//!     sum += n;
//! }
//! assert_eq!(sum, 6);
//! # });
//! ```

pub mod error;
mod permit;
mod receiver;
mod sender;
mod unbounded;

pub use self::permit::{OwnedPermit, Permit, PermitIterator};
pub use self::receiver::{Receiver, UnboundedReceiver};
pub use self::sender::{Sender, WeakSender};
pub use self::unbounded::{UnboundedSender, WeakUnboundedSender};

use std::fmt;

use crate::chan;

/// A channel that keeps up to `capacity` values; 0 counts as 1. Tokio's panics there.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = chan::bounded(capacity.max(1));
    (Sender::new(sender), Receiver::new(receiver))
}

/// A channel that keeps any number of values: a send needs no waiting, and memory is
/// the limit.
///
/// ```
/// let (tx, mut rx) = gmp::sync::mpsc::unbounded_channel();
/// tx.send("not awaited").expect("the receiver lives");
/// assert_eq!(rx.blocking_recv(), Some("not awaited"));
/// ```
#[track_caller]
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let (sender, receiver) = chan::unbounded();
    (
        UnboundedSender::new(sender),
        UnboundedReceiver::new(receiver),
    )
}

/// As what is inside: values need not be `Debug`.
macro_rules! debug {
    ($($name:ident<$($life:lifetime,)? T>)*) => {$(
        impl<$($life,)? T> fmt::Debug for $name<$($life,)? T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

debug! {
    Sender<T> WeakSender<T> UnboundedSender<T> WeakUnboundedSender<T>
    Receiver<T> UnboundedReceiver<T>
    Permit<'a, T> PermitIterator<'a, T> OwnedPermit<T>
}
