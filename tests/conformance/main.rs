//! Does one P schedule as Go does? Recorded programs of the real Go runtime are replayed event by
//! event ([`traces`]), and short rules are checked by what a program can see ([`order`]).
//!
//! Everything runs on one P, so the order is a function of the rules alone: no test here looks at
//! a clock to decide what is right.

mod interp;
mod one_p;
mod order;
mod prims;
mod program;
mod record;
mod traces;
