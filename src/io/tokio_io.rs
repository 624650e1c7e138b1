//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

use super::{Stderr, Stdin, Stdout};
use crate::async_io::{forward_tokio_read, forward_write};

forward_tokio_read!(Stdin);

forward_write! {
    tokio::io::AsyncWrite:
    [] Stdout;
    [] Stderr;
}
