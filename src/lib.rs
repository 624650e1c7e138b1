//! gmp: Go's G-M-P scheduler as a runtime for `std::future::Future`.
//!
//! A future becomes a G (a task), an OS thread is an M, and the right to run
//! tasks is a P. Ps take tasks from their own ring, from a global queue and from
//! each other by Go's rules of stealing and fairness. A task that computes for
//! long or blocks its thread loses its P, so the others go on.
//!
//! ```
//! #[gmp::main]
//! async fn main() {
//!     let answer = gmp::spawn(async { 6 * 7 });
//!     assert_eq!(answer.await.expect("no panic"), 42);
//! }
//! ```
//!
//! Library code needs no set-up: [`block_on`] works on any thread, and so do the
//! timers and sockets of this crate; a global runtime starts on first use.
//!
//! ```
//! use std::time::Duration;
//!
//! fn wait_a_little() {
//!     gmp::block_on(gmp::time::sleep(Duration::from_millis(1)));
//! }
//! # wait_a_little();
//! ```

extern crate self as gmp;

mod async_io;
#[cfg(feature = "axum")]
pub mod axum;
pub mod chan;
#[cfg(feature = "tokio-compat")]
pub mod compat;
pub mod fs;
#[cfg(feature = "hickory")]
pub mod hickory;
#[cfg(feature = "hyper")]
pub mod hyper;
pub mod io;
mod leaf_fn;
pub mod net;
pub mod process;
pub mod profiler;
#[cfg(feature = "quinn")]
pub mod quinn;
pub mod runtime;
mod select;
pub mod signal;
pub mod sync;
pub mod task;
pub mod time;

#[doc(hidden)]
pub mod __private;

/// Runs an `async fn main` on a runtime. See the keys in [`macro@main`].
#[cfg(feature = "macros")]
pub use gmp_macros::{main, test};

pub use crate::async_io::Async;
pub use crate::profiler::waiting;
pub use crate::task::spawn;
/// Runs `future` to its end on this thread and returns its output.
///
/// Works anywhere: on a plain thread, in library code, inside a gmp task (its P
/// goes on elsewhere) and inside another runtime's thread. The future need not
/// be `Send` or `'static`. Spawns, timers and sockets inside it belong to this
/// thread's runtime, else to the global one. Inside a task it keeps the task's thread
/// and takes another one for the P: only where
/// [`max_threads`](runtime::Builder::max_threads) leaves none it waits for one.
///
/// # Panics
/// With the future's own panic; and if the global runtime is needed and cannot
/// start.
///
/// ```
/// let text = String::from("borrowed");
/// let len = gmp::block_on(async { text.len() });
/// assert_eq!(len, 8);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    runtime::Handle::current().block_on(future)
}
