//! The attributes `#[gmp::main]` and `#[gmp::test]`.
//!
//! Both leave the function as it was written, `async` and all, one level further in, and put a plain
//! function of the same name around it which builds a runtime and blocks on the future:
//!
//! ```text
//! fn main() -> Result<(), Error> {
//!     async fn main() -> Result<(), Error> { /* the body, untouched */ }
//!     ::gmp::__private::run_main(::gmp::runtime::Builder::new().procs(4), main())
//! }
//! ```
//!
//! Invariants:
//! - The body and the return type keep their tokens and spans, so the compiler's errors, `return`, `?`
//!   and coercions are those of the `async fn` on the page. An `async` block would infer its output
//!   from the inside out: `Err(Box::new(e))` would then not become a `Box<dyn Error>`.
//! - The body is never parsed here: half-typed code still expands, which editors rely on.
//! - Nothing is named but paths under `::gmp` (or the `crate` key) and `::core`.
//! - One mistake gives one error: next to every error stands an item that the compiler can accept.
//!
//! The crate is an implementation detail of `gmp`; use the attributes from there.

use proc_macro::TokenStream;

mod entry;
mod options;

use options::Attribute;

/// Runs an `async fn` on a runtime of its own: the function becomes a plain one that builds the
/// runtime, blocks on the body and returns what the body returns.
///
/// The function is usually `main`, and may then return whatever `main` may: nothing, a `Result`, an
/// `ExitCode`, any `Termination`. It may have another name too; each call then starts a runtime of its
/// own. Attributes, documentation and visibility are kept. The body runs on the calling thread, so it
/// need not be `Send`.
///
/// # Keys
///
/// Each is optional and sets the knob of the same name on `gmp::runtime::Builder`. Values are literals
/// or any expression of the right type.
///
/// | key | value |
/// |---|---|
/// | `procs` | how many tasks run at the same time (Go's `GOMAXPROCS`), at least 1; `usize` |
/// | `max_threads` | upper bound on threads, those blocked in calls included; `usize` |
/// | `thread_name` | name of the runtime's threads; a string |
/// | `thread_stack_size` | in bytes; `usize` |
/// | `handoff` | whether a thread that blocks gives its P to another; `bool` |
/// | `rules` | `"default"`, or `"go117"` for the scheduling rules of that Go release |
/// | `seed` | start of the scheduler's random sequence; `u64` |
/// | `panic_policy` | what a task's panic does: `"log"` tells it if nobody awaits the task, and is the default; `"abort"` ends the process, as Go does; `"shutdown"` ends the runtime. It wins over the environment's `GMP_DEBUG=panic=…` |
/// | `sigquit` | what the signal `SIGQUIT` does: `"exit"` writes every task to stderr and ends the process with status 2, as Go does, and is the default; `"dump"` goes on; `"off"` leaves the signal alone. The environment's `GMP_SIGQUIT` wins |
/// | `crate` | path under which `gmp` is known, as a string: `crate = "my_crate::gmp"` |
///
/// # Errors
///
/// When the runtime cannot be built, the program prints `gmp: ` and the error to standard error and
/// exits with status 1.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Attribute::Main, args.into(), item.into()).into()
}

/// Makes an `async fn` a test that runs on a fresh runtime, which is shut down when the test ends.
///
/// The test may return whatever a `#[test]` may, and `#[should_panic]`, `#[ignore]` and `#[cfg]` work
/// as ever. The attribute marks the function as a test itself: a second `#[test]` is an error.
///
/// # Keys
///
/// All keys of `#[gmp::main]` but `sigquit`, with `procs = 1` when it is left out, and:
///
/// | key | value |
/// |---|---|
/// | `leak_check` | whether the test fails when tasks are still alive at its end; `bool`, default `false`. Or a `gmp::profiler::leak::Options`, which says which of them do not count and for how long it waits for their ends: `leak_check = Options::new().ignore_name("server")`, a function of yours that returns one |
/// | `virtual_time` | whether time stands still until everything waits for it; `bool`, default `false` |
///
/// # Panics
///
/// When the runtime cannot be built, the test fails.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(Attribute::Test, args.into(), item.into()).into()
}
