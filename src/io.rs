//! The standard streams of this process, and the directions of sockets.
//!
//! The streams are shared with other processes, a shell for one, so none of them is put
//! into non-blocking mode. [`stdin()`] waits in the netpoller and reads only what is
//! there; [`stdout`] and [`stderr`] write where they are awaited, in a [blocking
//! section], and share std's buffers, so that text of `println!` and of this module
//! comes out in the order in which it was written.
//!
//! ```
//! use futures::io::AsyncWriteExt;
//!
//! # fn main() -> std::io::Result<()> {
//! gmp::block_on(async {
//!     let mut out = gmp::io::stdout();
//!     out.write_all(b"one line\n").await?;
//!     println!("the next line");
//!     out.flush().await
//! })
//! # }
//! ```
//!
//! [blocking section]: crate::task::block_in_place

mod interest;
mod output;
mod stdin;
#[cfg(feature = "tokio-io")]
mod tokio_io;

pub use self::interest::{Interest, Ready};
pub use self::output::{Stderr, Stdout, stderr, stdout};
pub use self::stdin::{Stdin, stdin};
