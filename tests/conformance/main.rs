//! Does gmp schedule as Go does? Recorded programs of the real Go runtime are replayed event by
//! event ([`traces`]), and short rules are checked by what a program can see ([`order`]). These run
//! on one P, so the order is a function of the rules alone and no clock decides what is right.
//!
//! What needs several Ps or time itself is in [`steal`], [`wakeup`], [`fairness`] and [`timers`]:
//! nothing may hang, and where a rule names a time its bounds are Go's and a loaded machine has
//! several trials ([`watched`]). What needs the scheduler's inside is in the executor.

#[path = "../support/eventually.rs"]
mod eventually;
mod fairness;
mod interp;
mod one_p;
mod order;
mod prims;
mod program;
mod record;
mod steal;
mod timers;
mod traces;
mod wakeup;
mod watched;
