//! Labels: what a task is working for, in dumps and profiles, as `pprof.Do` in Go.
//!
//! A set of labels is interned once and has a number, which fits into a task's
//! header. The table only grows, up to 65 535 sets: give labels values of which
//! there are few (a route, a tenant), not a request's id.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use gmp_executor::leaf;
use gmp_executor::snapshot::TaskInfo;
use pin_project::pin_project;

use crate::quote::{Quoted, Way};

/// One label.
type Pair = (Cow<'static, str>, Cow<'static, str>);

/// The number of every set of the program, from 1.
static NUMBERS: Mutex<Option<HashMap<&'static [Pair], u16>>> = Mutex::new(None);

/// The sets by their numbers, some at a time. Who reads takes no lock: a task that
/// panics tells its labels.
static SETS: [OnceLock<Box<Part>>; 256] = [const { OnceLock::new() }; 256];

type Part = [OnceLock<&'static [Pair]>; 256];

/// What the last number stands for, when all are in use.
const OVERFLOW: &[Pair] = &[(Cow::Borrowed("__overflow"), Cow::Borrowed("true"))];

fn number_of(set: Vec<Pair>) -> u16 {
    if set.is_empty() {
        return 0;
    }
    // A panic inside leaves at most a set without a number behind.
    let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
    let numbers = numbers.get_or_insert_default();
    if let Some(&number) = numbers.get(&set[..]) {
        return number;
    }
    let number = u16::try_from(numbers.len() + 1).unwrap_or(u16::MAX);
    if number < u16::MAX {
        // At most 65 534 times: a task's number must stay readable for ever.
        let set: &'static [Pair] = Box::leak(set.into_boxed_slice());
        numbers.insert(set, number);
        let part = SETS[usize::from(number >> 8)]
            .get_or_init(|| Box::new([const { OnceLock::new() }; 256]));
        part[usize::from(number & 0xff)].get_or_init(|| set);
    }
    number
}

fn set_of(number: u16) -> &'static [Pair] {
    match number {
        0 => &[],
        u16::MAX => OVERFLOW,
        number => {
            let part = SETS[usize::from(number >> 8)].get();
            let set = part.and_then(|part| part[usize::from(number & 0xff)].get());
            set.copied().unwrap_or_default()
        }
    }
}

/// The labels of a task, in the order of their keys. `Display` gives Go's form:
/// `{route: "/x", tenant: a}`, and nothing if there are none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Labels(&'static [Pair]);

impl Labels {
    /// The labels of a task of a snapshot: those under which it waits, runs, or
    /// waited last.
    pub fn of(task: &TaskInfo) -> Labels {
        Labels(set_of(task.labels))
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'static str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        for (at, (key, value)) in self.iter().enumerate() {
            f.write_str(if at == 0 { "{" } else { ", " })?;
            word(f, key)?;
            f.write_str(": ")?;
            word(f, value)?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A key or value, in quotes unless it is made of letters, digits, `.`, `/`, `_`.
fn word(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_');
    if !text.is_empty() && text.bytes().all(plain) {
        f.write_str(text)
    } else {
        write!(f, "{}", Quoted(text, Way::Header))
    }
}

/// The key of a label where `own` keys of ours stand beside it: with a prefix, if it were
/// taken for one of those, or for one that has the prefix.
pub(crate) fn beside<'a>(own: &[&str], key: &'a str) -> Cow<'a, str> {
    const PREFIX: &str = "label.";
    if own.contains(&key.trim_start_matches(PREFIX)) {
        Cow::Owned(format!("{PREFIX}{key}"))
    } else {
        Cow::Borrowed(key)
    }
}

/// The labels that the running task has at this moment; none outside a task.
///
/// ```
/// use gmp_profiler::labels;
///
/// assert!(labels::current().is_empty());
/// ```
pub fn current() -> Labels {
    Labels(set_of(leaf::labels()))
}

/// The outer labels and these; a key that comes again has the later value.
fn merged(outer: u16, more: &[Pair]) -> u16 {
    let mut set = set_of(outer).to_vec();
    for (key, value) in more {
        match set.iter_mut().find(|(k, _)| k == key) {
            Some(pair) => pair.1 = value.clone(),
            None => set.push((key.clone(), value.clone())),
        }
    }
    set.sort_unstable();
    number_of(set)
}

fn pairs<K, V>(labels: impl IntoIterator<Item = (K, V)>) -> Box<[Pair]>
where
    K: Into<Cow<'static, str>>,
    V: Into<Cow<'static, str>>,
{
    let pairs = labels.into_iter();
    pairs
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// Gives `future` labels, beside those that its task has already, for as long as it
/// runs: dumps, groups and profiles of the task show them, and what is spawned
/// inside inherits them. In the futures beside it, in a `join!` say, they are not.
///
/// # Cancel safety
/// That of `future`.
///
/// ```
/// use gmp_executor::{Handle, spawn};
/// use gmp_profiler::labels;
///
/// Handle::current().block_on(labels::scope([("tenant", "a")], async {
///     assert_eq!(labels::current().to_string(), "{tenant: a}");
///     let inherited = spawn(labels::scope([("route", "/pay")], async {
///         labels::current().to_string()
///     }));
///     assert_eq!(inherited.await.expect("no panic"), "{route: /pay, tenant: a}");
/// }));
/// ```
pub fn scope<F, K, V>(labels: impl IntoIterator<Item = (K, V)>, future: F) -> Scope<F>
where
    F: Future,
    K: Into<Cow<'static, str>>,
    V: Into<Cow<'static, str>>,
{
    Scope {
        future,
        labels: pairs(labels),
        set: None,
    }
}

/// As [`scope`], for a function that awaits nothing.
///
/// ```
/// use gmp_profiler::labels;
///
/// # gmp_executor::Handle::current().block_on(async {
/// let seen = labels::with([("phase", "sort")], || labels::current().get("phase"));
/// assert_eq!(seen, Some("sort"));
/// assert!(labels::current().is_empty());
/// # });
/// ```
pub fn with<R, K, V>(labels: impl IntoIterator<Item = (K, V)>, f: impl FnOnce() -> R) -> R
where
    K: Into<Cow<'static, str>>,
    V: Into<Cow<'static, str>>,
{
    let outer = leaf::labels();
    let _back = Back::after(outer, merged(outer, &pairs(labels)));
    f()
}

/// Puts the outer labels back when it is dropped, by a panic too.
struct Back(u16);

impl Back {
    fn after(outer: u16, set: u16) -> Back {
        leaf::set_labels(set);
        Back(outer)
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        leaf::set_labels(self.0);
    }
}

/// The future of [`scope`].
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Scope<F> {
    #[pin]
    future: F,
    labels: Box<[Pair]>,
    /// The outer set of the last poll, and what it became.
    set: Option<(u16, u16)>,
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    // A handle inside tells who polls it.
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let outer = leaf::labels();
        let set = match *this.set {
            Some((before, set)) if before == outer => set,
            _ => merged(outer, this.labels),
        };
        *this.set = Some((outer, set));
        let _back = Back::after(outer, set);
        let poll = this.future.poll(cx);
        if poll.is_pending() {
            leaf::wait_labels(set);
        }
        poll
    }
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use super::{Labels, NUMBERS, merged, pairs, set_of};

    #[test]
    fn sets_are_sorted_merged_and_kept_once() {
        let outer = merged(0, &pairs([("tenant", "a"), ("route", "/x")]));
        assert_eq!(outer, merged(0, &pairs([("route", "/x"), ("tenant", "a")])));
        let inner = merged(outer, &pairs([("tenant", "b c")]));
        assert_ne!(inner, outer);
        let labels = Labels(set_of(inner));
        assert_eq!(labels.to_string(), "{route: /x, tenant: \"b c\"}");
        assert_eq!((labels.get("route"), labels.get("x")), (Some("/x"), None));
        assert_eq!(merged(0, &[]), 0);
        assert_eq!(Labels(set_of(0)).to_string(), "");
    }

    /// More than lie together, each told while another one is on its way into the table.
    #[test]
    fn every_number_is_told_without_a_lock() {
        let name = |n: u32| merged(0, &pairs([("n", n.to_string())]));
        let numbers: Vec<u16> = (0..600).map(name).collect();
        let _held = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        for (n, &number) in numbers.iter().enumerate() {
            assert_eq!(Labels(set_of(number)).get("n"), Some(&*n.to_string()));
        }
    }

    /// Rule of Go's header: quotes around what a reader could take for more.
    #[test]
    fn words_with_other_characters_are_quoted() {
        let shown =
            |value: &'static str| Labels(set_of(merged(0, &pairs([("k", value)])))).to_string();
        assert_eq!(shown("a.b/C_9"), "{k: a.b/C_9}");
        assert_eq!(shown("a-b"), "{k: \"a-b\"}");
        assert_eq!(shown(""), "{k: \"\"}");
        assert_eq!(shown("\"]:\n"), "{k: \"\\\"]:\\n\"}");
    }
}
