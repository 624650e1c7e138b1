//! Checks of a whole process: every runtime in it, when the work is done.

#![expect(unsafe_code, reason = "asks to be called when the process ends")]

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use gmp_executor::Handle;

use super::{Options, Report, find_in};

/// Runs a test binary of `harness = false` and looks for tasks that are left over
/// in any runtime of the process. What it gives is for `main` to return: the status
/// of `run` if that is not 0, else 1 if tasks are left, after a report on stderr in
/// goleak's words. A run that failed is not looked at, unless
/// [`Options::run_on_failure`] asks for it.
///
/// Of a status only the lowest eight bits reach the system; other ones than 0
/// become 1 if those are 0.
///
/// ```
/// use std::process::ExitCode;
/// use gmp_profiler::leak;
///
/// fn main() -> ExitCode {
///     leak::verify_main(&leak::Options::new(), || {
///         gmp_executor::Handle::current().block_on(async {
///             gmp_executor::spawn(async { 7 }).await.expect("no panic");
///         });
///         0
///     })
/// }
/// ```
pub fn verify_main(options: &Options, run: impl FnOnce() -> i32) -> ExitCode {
    let status = run();
    let left = if status == 0 || options.run_on_failure {
        everywhere(options)
    } else {
        Vec::new()
    };
    options.clean_up();
    if !left.is_empty() {
        tell(status == 0, &left);
    }
    match (status, left.is_empty()) {
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::FAILURE,
        (status, _) => ExitCode::from((status & 0xff).max(1) as u8),
    }
}

/// Looks when the process ends, for binaries whose `main` is libtest's: if tasks are
/// left in any runtime, a report goes to stderr and the process ends with status 1.
/// A dump of `SIGQUIT` that ends the process is followed by no look.
/// The last call decides the options. Any test may call it, the first thing it does;
/// a runtime of `#[gmp::test]` ends with its test and has nothing left by then, so
/// this is for the global runtime and those that a program keeps.
///
/// # Errors
/// If the system has no room for one more function to call.
///
/// ```
/// use gmp_profiler::leak;
///
/// leak::verify_at_exit(leak::Options::new())?;
/// # std::io::Result::Ok(())
/// ```
pub fn verify_at_exit(options: Options) -> io::Result<()> {
    let mut kept = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the function lives as long as the program and does not unwind: a
    // panic in it ends the process.
    if kept.is_none() && unsafe { libc::atexit(at_exit) } != 0 {
        return Err(io::Error::from(io::ErrorKind::OutOfMemory));
    }
    *kept = Some(options);
    Ok(())
}

static AT_EXIT: Mutex<Option<Options>> = Mutex::new(None);

/// The process ends before its work is done: nobody asks what is left.
pub(crate) fn never_mind() {
    let mut kept = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
    *kept = None;
}

extern "C" fn at_exit() {
    let kept = AT_EXIT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let Some(options) = kept else { return };
    let left = everywhere(&options);
    options.clean_up();
    if left.is_empty() {
        return;
    }
    tell(true, &left);
    // Nothing is left to do with a failed write.
    let _ = io::stdout().flush();
    // SAFETY: ends the process; who registered earlier is not called any more.
    unsafe { libc::_exit(1) }
}

fn everywhere(options: &Options) -> Vec<Report> {
    let runtimes = Handle::all();
    let find = |handle: &Handle| find_in(handle, options).err();
    runtimes.iter().filter_map(find).collect()
}

fn tell(success: bool, left: &[Report]) {
    let run = if success {
        "successful"
    } else {
        "unsuccessful"
    };
    for report in left {
        eprintln!("goleak: Errors on {run} test run: {report}");
    }
}
