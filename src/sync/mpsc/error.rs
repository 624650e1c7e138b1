//! What can go wrong at a channel.

use std::error::Error;
use std::fmt;

use crate::chan;

pub use crate::chan::{SendError, SendTimeoutError, TrySendError};

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// Nothing inside.
    Empty,
    /// The channel is closed, and nothing is left inside.
    Disconnected,
}

impl From<chan::TryRecvError> for TryRecvError {
    fn from(error: chan::TryRecvError) -> TryRecvError {
        match error {
            chan::TryRecvError::Empty => TryRecvError::Empty,
            chan::TryRecvError::Closed => TryRecvError::Disconnected,
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the channel is empty",
            TryRecvError::Disconnected => "the channel is closed and empty",
        })
    }
}

impl Error for TryRecvError {}
