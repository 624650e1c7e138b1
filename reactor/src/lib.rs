//! The netpoller: one kernel poller, a table of descriptors, and two readiness
//! words for each of them.
//!
//! ```text
//!   poll(timeout, &mut ready)            Source::poll_io / ready / try_io
//!        │ 1 one system call                  │ 4 look, run the operation
//!        ▼                                    ▼
//!   sys (epoll | polling) ─2 key─▶ keys ─3─▶ slot (read) · slot (write)
//!                                             ▲ flags: gate (closed, deadline)
//! ```
//!
//! Invariants:
//!
//! * Time comes in as an argument and wakers go out in a list that the caller
//!   owns. Nothing here knows a task, a thread or a clock.
//! * A descriptor is registered once, for both directions, edge-triggered. No
//!   operation on a ready descriptor takes a lock or allocates.
//! * Readiness without a waiter is kept; a time-out without a waiter is not.
//! * A stale event (its descriptor is gone, its table entry reused) is dropped
//!   by the generation in its key; an early event costs one spurious wake-up.
//! * No waker is cloned, called or dropped while a lock of this crate is held.
//!
//! Lock order, outer to inner: a source's arming lock, the buffer of the
//! portable poller, the table, a slot's list.
//!
//! What it does not do: decide who polls and when, run deadline timers, or put
//! descriptors into non-blocking mode. The executor and the facade do.

mod breaker;
mod fork;
mod gate;
mod keys;
mod reactor;
mod slot;
mod source;
mod sync;
mod sys;
mod wakers;

#[cfg(all(test, not(loom)))]
mod behaviour;
#[cfg(all(test, loom))]
mod models;

pub use fork::{Origin, starting};
pub use reactor::Reactor;
pub use source::{Direction, Drained, Expirer, Ready, Source};
pub use sys::{FixedFd, Registered};
