//! Panics that end a request and not the service.
//!
//! What is reported is the task that panicked, and no other: nothing stops, no
//! queue is read, and a panic that comes again and again from one place is told
//! once in ten seconds with a count.

mod fold;
mod hook;
mod report;
#[cfg(feature = "tower")]
mod tower;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use self::hook::Watch;
pub use self::report::{PanicReport, set_panic_reporter};
#[cfg(feature = "tower")]
pub use self::tower::{Recover, RecoverFuture, RecoverLayer};

/// Runs `future` and gives its panic as a value, after a report of it to stderr
/// or to [`set_panic_reporter`]'s function.
///
/// The first call in a process puts a panic hook in front of the present one. It
/// notes where a panic inside such a future comes from, and passes every other
/// panic on. With `RUST_BACKTRACE` set, reports that are told have a backtrace.
///
/// # Cancel safety
/// That of `future`.
///
/// ```
/// let report = gmp_executor::Handle::current().block_on(async {
///     gmp_profiler::catch_panic(async { panic!("no such user") })
///         .await
///         .map(|(): ()| "fine")
///         .unwrap_err()
/// });
/// assert_eq!(report.message(), "no such user");
/// ```
pub fn catch_panic<F: Future>(future: F) -> CatchPanic<F> {
    hook::install();
    CatchPanic {
        future: Some(future),
        failed: None,
    }
}

/// Puts the panic hook in front of the present one that [`take_report`] lives by, once in
/// a process; `#[gmp::main]` does. Every panic goes on to the hook behind it. On a thread
/// that panics itself it does nothing: the next call does it.
pub fn note_panics() {
    hook::install();
}

/// The report of the panic that was caught last on this thread in the running task: for
/// those who catch panics by other means than [`catch_panic`], such as the handler of
/// `tower_http::catch_panic::CatchPanicLayer::custom`. It has everything but the payload,
/// which the one who caught it has.
///
/// None if there was none since the last call, outside of tasks, or if the hook was not
/// there: see [`note_panics`]. To be called in the poll that has caught the panic, for the
/// next one may be on another thread. It goes to the caller alone, not to
/// [`set_panic_reporter`]'s function.
///
/// ```
/// use std::panic::catch_unwind;
///
/// gmp_profiler::note_panics();
/// gmp_executor::Handle::current().block_on(async {
///     let caught = catch_unwind(|| panic!("no such user"));
///     assert!(caught.is_err());
///     let report = gmp_profiler::take_report().expect("of this task");
///     assert_eq!(report.message(), "no such user");
///     assert!(report.task().is_some());
///     assert!(gmp_profiler::take_report().is_none());
/// });
/// ```
pub fn take_report() -> Option<PanicReport> {
    hook::take().map(PanicReport::of_caught)
}

/// The future of [`catch_panic`].
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CatchPanic<F> {
    /// None: ended.
    #[pin]
    future: Option<F>,
    /// A panic before there was a future.
    failed: Option<PanicReport>,
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, PanicReport>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(report) = this.failed.take() {
            return Poll::Ready(Err(report));
        }
        let future = this.future.as_mut().as_pin_mut();
        let future = future.expect("gmp: CatchPanic was polled after its end");
        let polled = caught(|| future.poll(cx));
        let end = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(report) => Err(report),
        };
        // What a panic left of the future may panic once more in its drop; that
        // one is reported as well, and the first is what the caller gets.
        let _second = caught(|| this.future.set(None));
        Poll::Ready(end)
    }
}

/// Runs `f`, whose panic becomes a report. A panic that `f` catches itself is
/// reported too, since the hook has kept it from being printed.
fn caught<R>(f: impl FnOnce() -> R) -> Result<R, PanicReport> {
    let watch = Watch::begin();
    let result = catch_unwind(AssertUnwindSafe(f));
    let mut seen = watch.end();
    let result = result.map_err(|payload: Box<dyn Any + Send>| {
        let report = PanicReport::new(&mut seen, payload);
        report.tell();
        report
    });
    for inner in seen {
        PanicReport::of_caught(inner).tell();
    }
    result
}
