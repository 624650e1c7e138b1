//! One panic of one task.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gmp_executor::snapshot::{self, TaskInfo};

use super::fold::{self, Place, Source};
use super::hook::Seen;
use crate::{frames, text};

/// What is known of a panic: its message and place, and the task that it was in.
///
/// Its text has Go's form, with the task that panicked and no other.
pub struct PanicReport(Box<Inner>);

/// Behind a pointer: an error is returned through many functions.
struct Inner {
    message: String,
    place: Place,
    task: Option<TaskInfo>,
    /// Some: it is to be told, and so many of its source were not.
    admitted: Option<u64>,
    backtrace: Backtrace,
    /// None: the task caught it itself. The mutex makes the report Sync.
    payload: Option<Mutex<Box<dyn Any + Send>>>,
}

impl PanicReport {
    /// Of the panic that came out with `payload`, and takes out of `seen` what was noted
    /// of it: it need not be the last one, for a drop may panic on its way and catch that.
    pub(super) fn new(seen: &mut Vec<Seen>, payload: Box<dyn Any + Send>) -> PanicReport {
        let message = payload
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(no message)")
            .to_owned();
        // Without the hook, or after resume_unwind, nobody knows the place.
        let at = seen.iter().rposition(|seen| seen.message == message);
        let mut report = match at {
            Some(at) => PanicReport::of_caught(seen.remove(at)),
            None => {
                let admitted = fold::admit(&Source::Says(message.clone()));
                PanicReport::with(message, None, admitted, Backtrace::disabled())
            }
        };
        report.0.payload = Some(Mutex::new(payload));
        report
    }

    pub(super) fn of_caught(seen: Seen) -> PanicReport {
        let place = (seen.file, seen.line, seen.column);
        let mut report =
            PanicReport::with(seen.message, Some(place), seen.admitted, seen.backtrace);
        if let Some(task) = &mut report.0.task {
            task.labels = seen.labels;
        }
        report
    }

    fn with(
        message: String,
        place: Place,
        admitted: Option<u64>,
        backtrace: Backtrace,
    ) -> PanicReport {
        PanicReport(Box::new(Inner {
            message,
            place,
            task: snapshot::current(),
            admitted,
            backtrace,
            payload: None,
        }))
    }

    /// The panic's text; `(no message)` if its payload is not text.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// File, line and column of the panic. None: it was thrown on with
    /// `resume_unwind`, or another hook has taken the place of gmp's.
    pub fn location(&self) -> Option<(&str, u32, u32)> {
        let (file, line, column) = self.0.place.as_ref()?;
        Some((file, *line, *column))
    }

    /// The task; none outside of one.
    pub fn task(&self) -> Option<&TaskInfo> {
        self.0.task.as_ref()
    }

    /// Panics from the same place that were not told since the last one that
    /// was.
    pub fn repeated(&self) -> u64 {
        self.0.admitted.unwrap_or(0)
    }

    /// The backtrace, empty unless `RUST_BACKTRACE` asks for one, and empty for a panic
    /// that [`catch_panic`](super::catch_panic()) has folded into an earlier one of its
    /// place: to take one, a thread waits for all others that do.
    pub fn backtrace(&self) -> &Backtrace {
        &self.0.backtrace
    }

    /// The payload; none if the task caught the panic itself.
    pub fn into_payload(self) -> Option<Box<dyn Any + Send>> {
        let payload = self.0.payload?;
        Some(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Passes it to the reporter, unless its place is quiet.
    pub(super) fn tell(&self) {
        if self.0.admitted.is_none() {
            return;
        }
        // The guard is gone before the user's function runs.
        let reporter = reporter().clone();
        match reporter {
            // A reporter that panics must not end what it reports on.
            Some(reporter) => drop(catch_unwind(AssertUnwindSafe(|| reporter(self)))),
            None => {
                // Nobody is left to hear that stderr is closed.
                let _ = write!(std::io::stderr().lock(), "{self}");
            }
        }
    }
}

static REPORTER: Mutex<Option<Reporter>> = Mutex::new(None);

type Reporter = Arc<dyn Fn(&PanicReport) + Send + Sync>;

fn reporter() -> MutexGuard<'static, Option<Reporter>> {
    // No code of the user's runs under this lock.
    REPORTER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives reports of caught panics to `reporter` instead of stderr. It runs on the
/// thread of the task that panicked, once for each place in ten seconds. The last
/// one that was set counts. A panic of its own is caught and told to nobody.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// static TOLD: AtomicU64 = AtomicU64::new(0);
/// gmp_profiler::set_panic_reporter(|report| {
///     assert_eq!(report.message(), "no such user");
///     TOLD.fetch_add(1, Ordering::Relaxed);
/// });
/// gmp_executor::Handle::current().block_on(async {
///     for _ in 0..3 {
///         let caught = gmp_profiler::catch_panic(async { panic!("no such user") }).await;
///         assert!(caught.map(|(): ()| ()).is_err());
///     }
/// });
/// assert_eq!(TOLD.load(Ordering::Relaxed), 1, "twice more from the same place");
/// ```
pub fn set_panic_reporter(reporter: impl Fn(&PanicReport) + Send + Sync + 'static) {
    let before = self::reporter().replace(Arc::new(reporter));
    // Its drop is the user's code.
    drop(before);
}

impl std::error::Error for PanicReport {}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[PANIC RECOVER] {}", self.0.message)?;
        if self.repeated() > 0 {
            writeln!(
                f,
                "repeated {} times since it was last told",
                self.repeated()
            )?;
        }
        let Some(task) = &self.0.task else {
            return match &self.0.place {
                Some((file, line, column)) => writeln!(f, "\t{file}:{line}:{column}"),
                None => Ok(()),
            };
        };
        writeln!(f, "{}", text::header(task))?;
        if let Some((file, line, _)) = &self.0.place {
            writeln!(f, "{}(...)\n\t{file}:{line} +0x0", frames::function(task))?;
        }
        f.write_str(&text::creator(task))?;
        if self.0.backtrace.status() == BacktraceStatus::Captured {
            writeln!(f, "{}", self.0.backtrace)?;
        }
        Ok(())
    }
}

impl fmt::Debug for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanicReport")
            .field("message", &self.0.message)
            .field("place", &self.0.place)
            .field("task", &self.0.task.as_ref().map(|task| task.id))
            .field("repeated", &self.repeated())
            .finish_non_exhaustive()
    }
}
