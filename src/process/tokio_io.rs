//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

use super::pipe::{ChildStderr, ChildStdin, ChildStdout};
use crate::async_io::{forward_tokio_read, forward_write};

forward_tokio_read!(ChildStdout, ChildStderr);

forward_write! {
    tokio::io::AsyncWrite:
    [] ChildStdin;
}
