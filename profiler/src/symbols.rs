//! Functions and lines for the addresses of a stack.
//!
//! Reading debug information takes milliseconds the first time and microseconds
//! afterwards, so each address is looked up once. It is done where a dump is
//! written: on `gmp-diag` or in a blocking section, never while a leaf parks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use gmp_executor::{block_in_place, stacks};

/// One line of a stack, as it was compiled: several for an address with inlined
/// functions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Symbol {
    pub(crate) function: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

static KNOWN: Mutex<Option<HashMap<usize, Arc<[Symbol]>>>> = Mutex::new(None);

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

/// The frames of a stack, the leaf first: without what notes the stack and what
/// polls the task.
pub(crate) fn resolve(stack: &[usize]) -> Vec<Symbol> {
    let looked_up = || stack.iter().flat_map(|&at| look_up(at).to_vec()).collect();
    trimmed(block_in_place(looked_up))
}

fn look_up(address: usize) -> Arc<[Symbol]> {
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
        symbols.push(Symbol {
            function: name.unwrap_or_else(|| format!("{address:#x}")),
            file: symbol
                .filename()
                .map_or_else(|| "?".to_owned(), |file| file.display().to_string()),
            line: symbol.lineno().unwrap_or(0),
        });
    });
    let symbols: Arc<[Symbol]> = symbols.into();
    known()
        .get_or_insert_default()
        .insert(address, symbols.clone());
    symbols
}

/// Whether the function notes stacks or polls tasks: both ends of each stack.
fn is_runtime(function: &str) -> bool {
    let name = function.trim_start_matches('<');
    name.starts_with("gmp_executor::")
}

fn trimmed(mut frames: Vec<Symbol>) -> Vec<Symbol> {
    let first = frames.iter().position(|frame| !is_runtime(&frame.function));
    frames.drain(..first.unwrap_or(0));
    if let Some(end) = frames.iter().position(|frame| is_runtime(&frame.function)) {
        frames.truncate(end);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::{Symbol, trimmed};

    #[test]
    fn both_ends_of_a_stack_belong_to_the_runtime() {
        let frames = |names: &[&str]| -> Vec<Symbol> {
            let frame = |name: &&str| Symbol {
                function: (*name).to_owned(),
                file: "a.rs".to_owned(),
                line: 1,
            };
            names.iter().map(frame).collect()
        };
        let stack = frames(&[
            "gmp_executor::leaf::park_on",
            "<gmp::time::Sleep as core::future::future::Future>::poll",
            "app::serve::{{closure}}",
            "gmp_executor::g::cell::poll",
            "std::panicking::catch_unwind",
        ]);
        let names: Vec<String> = trimmed(stack).into_iter().map(|f| f.function).collect();
        assert_eq!(
            names,
            [
                "<gmp::time::Sleep as core::future::future::Future>::poll",
                "app::serve::{{closure}}"
            ]
        );
        assert!(trimmed(Vec::new()).is_empty());
    }
}
