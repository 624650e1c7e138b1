//! Why there is no value.

use std::error::Error;
use std::fmt;

/// The sender was dropped without a value, or the receiver has closed the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecvError;

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// It may still come.
    Empty,
    /// It will not come, or was taken.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value will come")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "there is no value yet",
            TryRecvError::Closed => "no value will come",
        })
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}
