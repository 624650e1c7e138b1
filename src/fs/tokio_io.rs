//! `tokio::io`: the traits alone; no runtime of Tokio's is needed.

use std::io::{self, Seek, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncSeek;

use super::File;
use super::file::poll_inline;
use crate::async_io::{forward_tokio_read, forward_write};
use crate::task::block_in_place;

forward_tokio_read!(File);

forward_write! {
    tokio::io::AsyncWrite:
    [] File;
}

impl AsyncSeek for File {
    /// It is over with the call.
    #[track_caller]
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        block_in_place(|| self.std().seek(to)).map(drop)
    }

    #[track_caller]
    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        poll_inline(cx, || self.std().stream_position())
    }
}
