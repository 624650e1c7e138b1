//! Functions and lines for the addresses of a stack.
//!
//! Reading debug information takes milliseconds the first time and microseconds
//! afterwards, so each address is looked up once, and each stack once in a dump. It
//! is done where a dump is written: on `gmp-diag` or in a blocking section, never
//! while a leaf parks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gmp_executor::snapshot::TaskInfo;
use gmp_executor::{block_in_place, stacks};

use crate::frames::Frame;

/// The frames of each address: several with inlined functions.
static KNOWN: Mutex<Option<HashMap<usize, Arc<[Frame]>>>> = Mutex::new(None);

/// Switches the stacks of waiting tasks on or off, for tasks of the whole process
/// that begin to wait from now on. While it is on, each leaf of gmp that waits notes
/// the functions between it and the poll of its task, and dumps show them in place
/// of the leaf alone: an async stack trace without annotations.
///
/// The stack is walked by frame pointers: build with
/// `RUSTFLAGS="-C force-frame-pointers=yes"`, and with debug information: line
/// tables give files and lines but call every async function `{async_fn#0}`;
/// `debug = "limited"` in the profile gives the names, too.
///
/// # Errors
/// [`NoFramePointers`], which says how to build, if the program has none: dumps go
/// on to show the leaf. The switch is turned all the same.
///
/// ```
/// // In a program that is built with frame pointers this is Ok.
/// let on = gmp_profiler::park_stacks(true);
/// if let Err(hint) = on {
///     assert!(hint.to_string().contains("force-frame-pointers=yes"));
/// }
/// gmp_profiler::park_stacks(false).unwrap_or_default();
/// ```
pub fn park_stacks(on: bool) -> Result<(), NoFramePointers> {
    stacks::set_park_stacks(on);
    if stacks::has_frame_pointers() {
        Ok(())
    } else {
        Err(NoFramePointers(()))
    }
}

/// Whether dumps show the stacks of tasks that compute, in the whole process. They do
/// unless this turns it off, on Linux, in a program with frame pointers
/// ([`park_stacks`]).
///
/// A poll that has lasted for some milliseconds is asked where it is when a snapshot
/// is taken to be shown ([`Profile`](crate::Profile), [`Grouped`](crate::Grouped),
/// [`dump`](crate::dump()) and `SIGQUIT`): its thread gets a `SIGURG`, as Go's do, and
/// the handler walks the frames. A thread that sleeps in the kernel is left alone, and
/// whoever asks waits for 20 ms at most. The handler is installed when the first such
/// poll is met; signals of others go on to the handler that was there before, and
/// a program that installs one later has the signal to itself again.
///
/// ```
/// gmp_profiler::poll_stacks(false);
/// // No signal is ever sent from here on.
/// # gmp_profiler::poll_stacks(true);
/// ```
pub fn poll_stacks(on: bool) {
    stacks::set_poll_stacks(on);
}

/// The program was built without frame pointers; see [`park_stacks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFramePointers(());

impl std::fmt::Display for NoFramePointers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "no stacks of waiting tasks: the program has no frame pointers; build it with \
             RUSTFLAGS=\"-C force-frame-pointers=yes\"",
        )
    }
}

impl std::error::Error for NoFramePointers {}

/// What a dump says when stacks are wanted and cannot be had.
pub(crate) fn hint() -> Option<NoFramePointers> {
    (stacks::park_stacks() && !stacks::has_frame_pointers()).then_some(NoFramePointers(()))
}

/// The frames of stacks, while one dump is written: tasks that wait alike have the
/// same stack, and it is looked up once.
#[derive(Default)]
pub(crate) struct Resolver(HashMap<Arc<[usize]>, Arc<[Frame]>>);

impl Resolver {
    /// The frames of the stack on which the task waits, the leaf first; none: it was
    /// not noted, or nothing of the program's own is in it.
    pub(crate) fn of(&mut self, task: &TaskInfo) -> &[Frame] {
        let Some(stack) = &task.stack else { return &[] };
        let found = self.0.entry(stack.clone());
        found.or_insert_with_key(|stack| resolve(stack).into())
    }
}

/// The frames of a stack, the leaf first: without what notes the stack and what
/// polls the task.
fn resolve(stack: &[usize]) -> Vec<Frame> {
    block_in_place(|| {
        let frames = stack.iter().flat_map(|&at| look_up(at).to_vec()).collect();
        trimmed(frames, sources())
    })
}

fn look_up(address: usize) -> Arc<[Frame]> {
    // A panic inside leaves at most an address unknown.
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(symbols) = known().get_or_insert_default().get(&address) {
        return symbols.clone();
    }
    let mut symbols = Vec::new();
    // The call lies before the address to which it returns.
    let call = std::ptr::without_provenance_mut(address - 1);
    backtrace::resolve(call, |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}"));
        symbols.push(Frame {
            address,
            function: name.unwrap_or_else(|| format!("{address:#x}")),
            file: symbol
                .filename()
                .map_or(Cow::Borrowed("?"), |file| file.display().to_string().into()),
            line: symbol.lineno().unwrap_or(0),
        });
    });
    let symbols: Arc<[Frame]> = symbols.into();
    known()
        .get_or_insert_default()
        .insert(address, symbols.clone());
    symbols
}

/// Whether the function notes stacks or polls tasks: both ends of each stack. In line
/// tables an inlined function has no path, and its file tells.
fn is_runtime(frame: &Frame, sources: Option<&str>) -> bool {
    let name = frame.function.trim_start_matches('<');
    name.starts_with("gmp_executor::") || sources.is_some_and(|at| frame.file.starts_with(at))
}

/// Where the sources of the executor lie, as this program's debug information has it:
/// what it says of a function that is known. None: there is none.
fn sources() -> Option<&'static str> {
    static SOURCES: OnceLock<Option<String>> = OnceLock::new();
    let sources = SOURCES.get_or_init(|| {
        let known: fn() -> bool = stacks::has_frame_pointers;
        // Its beginning: we go back by a byte, and so does whoever knows the names.
        let frames = look_up((known as *const ()).addr() + 2);
        let directory = frames.last()?.file.strip_suffix("stacks.rs")?;
        Some(directory.to_owned())
    });
    sources.as_deref()
}

fn trimmed(mut frames: Vec<Frame>, sources: Option<&str>) -> Vec<Frame> {
    let is_runtime = |frame: &Frame| is_runtime(frame, sources);
    let first = frames.iter().position(|frame| !is_runtime(frame));
    frames.drain(..first.unwrap_or(0));
    if let Some(end) = frames.iter().position(is_runtime) {
        frames.truncate(end);
    }
    frames
}

#[cfg(test)]
mod tests {
    use gmp_executor::{Builder, snapshot};

    use super::{Frame, Resolver, trimmed};

    const SOURCES: &str = "/home/gmp/executor/src/";

    /// Function and file of each.
    fn left(frames: &[(&str, &str)]) -> Vec<String> {
        let frame = |&(function, file): &(&str, &str)| Frame {
            address: 1,
            function: function.to_owned(),
            file: file.to_owned().into(),
            line: 1,
        };
        let left = trimmed(frames.iter().map(frame).collect(), Some(SOURCES));
        left.into_iter().map(|frame| frame.function).collect()
    }

    #[test]
    fn both_ends_of_a_stack_belong_to_the_runtime() {
        let stack = [
            "gmp_executor::leaf::park_on",
            "<gmp::time::Sleep as core::future::future::Future>::poll",
            "app::serve::{{closure}}",
            "gmp_executor::g::cell::poll",
            "std::panicking::catch_unwind",
        ];
        let named = stack.map(|function| (function, "a.rs"));
        assert_eq!(left(&named), stack[1..3]);
        assert!(left(&[]).is_empty());
    }

    /// Optimised, and with nothing but line tables.
    #[test]
    fn inlined_functions_of_the_runtime_are_told_by_their_files() {
        let stack = [
            ("park_on", "/home/gmp/executor/src/leaf.rs"),
            ("poll", "/home/gmp/src/time/sleep.rs"),
            ("{async_fn#0}", "/home/app/executor/src/main.rs"),
            ("{closure#0}", "/home/gmp/executor/src/g/cell.rs"),
            ("catch_unwind", "/rustc/library/std/src/panic.rs"),
        ];
        assert_eq!(left(&stack), ["poll", "{async_fn#0}"]);
    }

    /// Where there is debug information, as in builds for tests.
    #[test]
    fn the_sources_of_the_runtime_are_known() {
        let at = super::sources();
        let right = at.map(|at| at.ends_with("/executor/src/"));
        assert!(right.unwrap_or(cfg!(not(debug_assertions))), "{at:?}");
    }

    /// However many tasks wait on it.
    #[test]
    fn a_stack_is_looked_up_once() {
        let runtime = Builder::new().procs(1).build().expect("a runtime");
        let task = runtime.spawn(std::future::pending::<()>());
        let mut info = snapshot::tasks(runtime.handle()).remove(0);
        task.abort();
        let mut resolver = Resolver::default();
        info.stack = None;
        assert!(resolver.of(&info).is_empty());
        for _ in 0..3 {
            info.stack = Some([1, 2].into());
            resolver.of(&info);
        }
        info.stack = Some([1, 3].into());
        resolver.of(&info);
        assert_eq!(resolver.0.len(), 2);
    }
}
