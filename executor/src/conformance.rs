//! The rules, one test a number of the rule sheet, on worlds that are built by
//! hand: Ps and Ms as values of the test, no thread but the test's own, so each
//! step happens when the test says so.
//!
//! What only a whole runtime shows (time, several threads) is in the workspace's
//! `tests/conformance`.

mod aside;
mod gfree;
mod kit;
mod latency;
mod looks;
mod preempt;
mod queues;
mod races;
mod spin;
mod steal;
mod stw;
mod throw;
mod timers;
mod yielded;
