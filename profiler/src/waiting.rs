//! Names for waits that the runtime knows nothing of.

use std::collections::HashMap;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use gmp_executor::snapshot::{Status, TaskInfo};
use gmp_executor::{WaitReason, leaf};
use pin_project::{pin_project, pinned_drop};

/// Every name that a program has given, with its number: the header of a task
/// has room for a number alone. Names are literals, so the table stays small.
static NAMES: Mutex<Option<Names>> = Mutex::new(None);

#[derive(Default)]
struct Names {
    numbers: HashMap<&'static str, u64>,
    names: Vec<&'static str>,
}

fn with_names<R>(f: impl FnOnce(&mut Names) -> R) -> R {
    // A panic inside leaves at most a name without a number behind.
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    f(names.get_or_insert_default())
}

fn number_of(name: &'static str) -> u64 {
    with_names(|table| {
        *table.numbers.entry(name).or_insert_with(|| {
            table.names.push(name);
            table.names.len() as u64
        })
    })
}

/// The name of the foreign wait that the task is in.
pub(crate) fn name_of(task: &TaskInfo) -> Option<&'static str> {
    if task.status != Status::Waiting || task.reason != WaitReason::Foreign {
        return None;
    }
    let index = usize::try_from(task.target).ok()?.checked_sub(1)?;
    with_names(|table| table.names.get(index).copied())
}

/// Gives what `future` waits for a name in dumps: `[waiting: redis]`, with the
/// place of this call. For futures of other libraries, of whose waits the runtime
/// knows nothing; a wait of gmp's own inside them goes by the name as well.
///
/// # Cancel safety
/// That of `future`.
///
/// ```
/// let handle = gmp_executor::Handle::current();
/// let task = handle.spawn(gmp_profiler::waiting("redis", std::future::pending::<()>()));
/// while !gmp_profiler::stack_all().contains("[waiting: redis]:") {
///     std::thread::yield_now();
/// }
/// task.abort();
/// ```
#[track_caller]
pub fn waiting<F: Future>(name: &'static str, future: F) -> Waiting<F> {
    Waiting {
        future,
        name: number_of(name),
        at: Location::caller(),
    }
}

/// The future of [`waiting`].
#[pin_project(PinnedDrop)]
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Waiting<F> {
    #[pin]
    future: F,
    name: u64,
    at: &'static Location<'static>,
}

#[pinned_drop]
impl<F> PinnedDrop for Waiting<F> {
    fn drop(self: Pin<&mut Self>) {
        // A time-out has dropped it in the poll in which it waited: what its task waits
        // for next goes by another name.
        leaf::unpark_at(self.at);
    }
}

impl<F: Future> Future for Waiting<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let poll = this.future.poll(cx);
        if poll.is_pending() {
            leaf::park_named(*this.name, this.at);
        }
        poll
    }
}
