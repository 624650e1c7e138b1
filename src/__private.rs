//! What the macros and the conformance tests call: not part of the interface.

use std::process::{self, Termination};
use std::time::Duration;

use crate::profiler::leak::{self, Options};
use crate::profiler::{SigQuit, note_panics, on_sigquit};
use crate::runtime::Builder;

pub use futures::{select, select_biased};
pub use gmp_executor::testing;

pub use crate::select::Selecting;

/// What `#[gmp::test]` asks beyond the builder's knobs.
#[derive(Debug, Default, Clone)]
pub struct TestOptions {
    /// Fail if tasks are left when the test ends, but for those that this passes over.
    pub leak_check: Option<Options>,
    /// Start with a stopped clock.
    pub virtual_time: bool,
}

/// What the key `leak_check` takes.
#[diagnostic::on_unimplemented(
    message = "`leak_check` takes `true`, `false` or a `gmp::profiler::leak::Options`",
    label = "this is a `{Self}`"
)]
pub trait LeakCheck {
    /// None: nothing is checked.
    fn options(self) -> Option<Options>;
}

impl LeakCheck for bool {
    fn options(self) -> Option<Options> {
        self.then(|| Options::new().retry_for(Duration::from_secs(1)))
    }
}

impl LeakCheck for Options {
    fn options(self) -> Option<Options> {
        Some(self)
    }
}

/// The body of a `#[gmp::main]`.
#[track_caller]
pub fn run_main<F: Future>(builder: Builder, future: F) -> F::Output {
    run_main_with(builder, SigQuit::Exit, future)
}

/// The body of a `#[gmp::main]` that says what `SIGQUIT` does.
#[track_caller]
pub fn run_main_with<F: Future>(builder: Builder, sigquit: SigQuit, future: F) -> F::Output {
    note_panics();
    let built = on_sigquit(sigquit).and_then(|()| builder.build());
    match built {
        Ok(runtime) => {
            // What the program starts from libraries belongs here as well.
            let output = runtime.block_on(future);
            // As in Go, the program ends when main does: the others are not
            // waited for, only dropped.
            runtime.shutdown_timeout(Duration::from_secs(1));
            output
        }
        Err(error) => {
            eprintln!("gmp: {error}");
            process::exit(1)
        }
    }
}

/// The body of a `#[gmp::test]`.
///
/// # Panics
/// With the test's own panic, if the runtime cannot start, or if tasks are left
/// and the test asked for the check.
#[track_caller]
pub fn run_test<F>(builder: Builder, options: TestOptions, future: F) -> F::Output
where
    F: Future<Output: Termination>,
{
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("gmp: {error}"),
    };
    let handle = runtime.handle().clone();
    let output = runtime.block_on(async move {
        if options.virtual_time {
            crate::time::pause();
        }
        future.await
    });
    // The runtime is the test's own: tests that run beside it do not count.
    if let Some(check) = &options.leak_check
        && let Err(report) = leak::find_in(&handle, check)
    {
        // An error of the test's own is told as well, and is often the reason.
        output.report();
        panic!("{report}");
    }
    output
}
