//! Where a panic came from: only a panic hook is told.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use gmp_executor::leaf;

use super::fold::{self, Source};

/// What the hook noted of a panic.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) message: String,
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: u32,
    /// Those under which it happened: a scope of labels ends on its way.
    pub(super) labels: u16,
    /// Some: it is to be told, and so many of its place were not. None of a panic that
    /// nobody watches.
    pub(super) admitted: Option<u64>,
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
    /// The last panic in a task that nobody watches, and the task.
    static LAST: RefCell<Option<(u64, Seen)>> = const { RefCell::new(None) };
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

/// False: the panic is not for a watch, and the next hook is to tell it. A panic during
/// the destructors of the thread finds no list and goes there as well.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let task = task();
    let watched = WATCHED.try_with(|watched| {
        let mut watched = watched.try_borrow_mut().ok()?;
        let watch = watched.last_mut().filter(|watch| watch.task == task)?;
        let mut seen = Seen::of(info)?;
        seen.admitted = fold::admit(&seen.source());
        // All threads take turns to take one, so that thousands a second would hold
        // up the others.
        if seen.admitted.is_some() {
            seen.backtrace = Backtrace::capture();
        }
        watch.seen.push(seen);
        Some(())
    });
    let is_watched = matches!(watched, Ok(Some(())));
    if !is_watched && let Some(task) = task {
        // What it takes the place of is dropped, which is no code of the user's.
        let _ended = LAST.try_with(|last| {
            let mut seen = Seen::of(info)?;
            seen.backtrace = Backtrace::capture();
            last.try_borrow_mut().ok()?.replace((task, seen));
            Some(())
        });
    }
    is_watched
}

impl Seen {
    fn of(info: &PanicHookInfo<'_>) -> Option<Seen> {
        let at = info.location()?;
        Some(Seen {
            message: info.payload_as_str().unwrap_or("(no message)").to_owned(),
            file: at.file().to_owned(),
            line: at.line(),
            column: at.column(),
            labels: leaf::labels(),
            admitted: None,
            backtrace: Backtrace::disabled(),
        })
    }

    fn source(&self) -> Source {
        Source::At((self.file.clone(), self.line, self.column))
    }
}

/// Takes the last panic of the running task on this thread: from its watch, which then
/// does not tell it, if there is one.
pub(super) fn take() -> Option<Seen> {
    let task = task();
    let watched = WATCHED.with_borrow_mut(|watched| {
        let watch = watched.last_mut().filter(|watch| watch.task == task)?;
        let seen = watch.seen.pop()?;
        if seen.admitted.is_some() {
            fold::take_back(&seen.source());
        }
        Some(seen)
    });
    watched.or_else(|| {
        let of_task = LAST.with_borrow_mut(|last| last.take_if(|last| Some(last.0) == task));
        of_task.map(|(_, seen)| seen)
    })
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
