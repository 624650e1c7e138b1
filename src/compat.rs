//! Libraries that insist on a Tokio runtime, inside gmp tasks (feature
//! `tokio-compat`).
//!
//! Such a library looks for a runtime in the thread that polls it, and panics if
//! there is none. [`install()`], once in `main`, makes one present in every task:
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! gmp::compat::install()?;
//! let answer = gmp::spawn(async { tokio::spawn(async { 6 * 7 }).await });
//! assert_eq!(gmp::block_on(answer)?.expect("no panic of Tokio's task"), 42);
//! # Ok(())
//! # }
//! ```
//!
//! A library that cannot ask that of its users wraps what needs it: [`Compat`], from
//! [`.compat()`](CompatExt::compat), makes the runtime present around each poll of
//! what it wraps, and around its drop:
//!
//! ```
//! use gmp::compat::CompatExt;
//! use std::time::Duration;
//!
//! # gmp::block_on(async {
//! let task = gmp::spawn(
//!     async {
//!         tokio::time::sleep(Duration::from_millis(1)).await;
//!         // A leaf of gmp's beside it: both work.
//!         gmp::time::sleep(Duration::from_millis(1)).await;
//!         tokio::spawn(async { 6 * 7 }).await
//!     }
//!     .compat(),
//! );
//! let answer = task.await.expect("no panic");
//! assert_eq!(answer.expect("no panic of Tokio's task"), 42);
//! # });
//! ```
//!
//! # What runs where
//! The wrapped future is polled by gmp as any other part of its task: its P, its
//! preemption, its hand-off. On the thread `gmp-tokio` run Tokio's I/O driver and
//! timers, which wake the task, and what the library gives to `tokio::spawn`. What
//! it gives to `spawn_blocking`, its look-ups of names and its files go to Tokio's
//! pool of threads `gmp-tokio-pool`. A task of gmp's that such a task of Tokio's
//! spawns belongs to the global runtime.
//!
//! The thread starts with the first wrapper, [`handle()`] or [`install()`], once a
//! process, and stays until the process ends. Without any of them, and without the
//! feature, there is no runtime of Tokio's. A program that has one can lend it
//! instead: [`install_handle()`].
//!
//! # What it costs
//! One thread, which sleeps while nothing happens; a few nanoseconds per poll to
//! enter and leave a wrapper, and nothing after [`install()`]; and, for each event of
//! Tokio's sockets and timers, a wake-up from that thread into gmp's global queue.
//! gmp's own sockets under hyper, axum or rustls need none of this. Tokio's tasks
//! share that one thread: one that computes for long holds up the others, and all of
//! Tokio's events.
//!
//! # What is different from a Tokio worker
//! - Tokio's leaves do not ask tasks to give way here. The wrapper asks for gmp
//!   instead, before each poll, as gmp's leaves do; a loop that never waits, or has
//!   no wrapper, can call [`task::safepoint`](crate::task::safepoint).
//! - `tokio::task::block_in_place` just calls its closure, and `Handle::block_on`
//!   may be used: both block their thread, and gmp hands the P on.
//! - `tokio::task::spawn_local` needs its `LocalSet`, as everywhere.
//! - A stopped clock of gmp's does not stop Tokio's.
//! - Tasks given to `tokio::spawn` are not the runtime's or the profiler's: nobody
//!   waits for them or drops them when a gmp runtime shuts down.
//!
//! Dumps say `[waiting]` of a task that waits for Tokio;
//! [`gmp::waiting`](crate::waiting()) around the wrapper gives the wait a name.
//!
//! # Streams of bytes
//! [`Compat`] also turns the I/O traits of Tokio into those of `futures::io` and
//! the other way round. [`Io`] does that alone, without a runtime: for a
//! `futures::io` stream under tokio-util's codecs or tokio-rustls. The sockets of
//! [`net`](crate::net) have both sets of traits and need neither.

mod context;
mod context_io;
mod driver;
mod io;

pub use self::context::{Compat, CompatExt};
pub use self::driver::{handle, install, install_handle};
pub use self::io::Io;
