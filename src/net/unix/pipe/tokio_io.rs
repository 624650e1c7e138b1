//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

use super::{Receiver, Sender};
use crate::async_io::{forward_tokio_read, forward_write};

forward_tokio_read!(Receiver);

forward_write! {
    tokio::io::AsyncWrite:
    [] Sender;
}
