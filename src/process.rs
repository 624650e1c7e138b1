//! Other processes: `std::process::Command`, whose children are waited for without
//! a thread.
//!
//! Starting a program is a [blocking section], as `fork` and `exec` may take long.
//! The end of a child is an event of the netpoller: on Linux its pidfd becomes
//! readable; elsewhere, and on a kernel without pidfds, `SIGCHLD` tells. The pipes to
//! a child are ordinary streams.
//!
//! A [`Child`] that is dropped goes on (unless [`kill_on_drop`](Command::kill_on_drop)
//! says otherwise) and leaves no zombie: the netpoller takes its status when it ends.
//! If the runtime ends before, that happens at a later start or drop of a child in
//! this process.
//!
//! ```
//! use gmp::process::Command;
//!
//! # fn main() -> std::io::Result<()> {
//! gmp::block_on(async {
//!     let output = Command::new("echo").arg("hello").output().await?;
//!     assert!(output.status.success());
//!     assert_eq!(output.stdout, b"hello\n");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! A conversation, through pipes:
//!
//! ```
//! use std::process::Stdio;
//!
//! use futures::io::{AsyncReadExt, AsyncWriteExt};
//! use gmp::process::Command;
//!
//! # fn main() -> std::io::Result<()> {
//! gmp::block_on(async {
//!     let mut cat = Command::new("cat")
//!         .stdin(Stdio::piped())
//!         .stdout(Stdio::piped())
//!         .spawn()?;
//!     let mut stdin = cat.stdin.take().expect("piped");
//!     stdin.write_all(b"meow").await?;
//!     drop(stdin);
//!     let mut heard = String::new();
//!     cat.stdout.take().expect("piped").read_to_string(&mut heard).await?;
//!     assert_eq!(heard, "meow");
//!     assert!(cat.wait().await?.success());
//!     Ok(())
//! })
//! # }
//! ```
//!
//! [blocking section]: crate::task::block_in_place

mod child;
mod command;
mod exit;
mod orphan;
mod pipe;
#[cfg(feature = "tokio-io")]
mod tokio_io;

pub use std::process::{ExitStatus, Output, Stdio};

pub use self::child::Child;
pub use self::command::Command;
pub use self::pipe::{ChildStderr, ChildStdin, ChildStdout};
