//! Where a panic came from: only a panic hook is told.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

/// What the hook noted of a panic.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) message: String,
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: u32,
    /// Empty unless the environment asks for it; symbols are looked up when it is
    /// written, not here.
    pub(super) backtrace: Backtrace,
}

/// A watch on this thread: the task that it is for, and its panics so far.
struct Watched {
    task: Option<u64>,
    seen: Vec<Seen>,
}

thread_local! {
    static WATCHED: RefCell<Vec<Watched>> = const { RefCell::new(Vec::new()) };
}

/// The running task: a nested `block_on` polls others on the same thread, and
/// their panics are none of a watch's business.
fn task() -> Option<u64> {
    gmp_executor::try_id().map(|id| id.get())
}

/// Puts the hook in front of the present one, once in a process.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    // A thread that panics may not change the hook; the next call will.
    if std::thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !note(info) {
                next(info);
            }
        }));
    });
}

/// False: the panic is not for us. A panic during the destructors of the thread
/// finds no list and goes to the next hook.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let noted = WATCHED.try_with(|watched| {
        let mut watched = watched.try_borrow_mut().ok()?;
        let watch = watched.last_mut().filter(|watch| watch.task == task())?;
        let at = info.location()?;
        watch.seen.push(Seen {
            message: info.payload_as_str().unwrap_or("(no message)").to_owned(),
            file: at.file().to_owned(),
            line: at.line(),
            column: at.column(),
            backtrace: Backtrace::capture(),
        });
        Some(())
    });
    matches!(noted, Ok(Some(())))
}

/// Watches this thread until it ends.
#[must_use]
pub(super) struct Watch(());

impl Watch {
    pub(super) fn begin() -> Watch {
        let watch = Watched {
            task: task(),
            seen: Vec::new(),
        };
        WATCHED.with_borrow_mut(|watched| watched.push(watch));
        Watch(())
    }

    /// The panics meanwhile, in order.
    pub(super) fn end(self) -> Vec<Seen> {
        WATCHED.with_borrow_mut(|watched| watched.pop().map_or_else(Vec::new, |watch| watch.seen))
    }
}
