//! Tests that have a process of their own, for what they do is the whole process's.

use super::child;

/// Runs the test `name`, which calls this, in a child, unless this is that child. True:
/// the test has passed there.
///
/// # Panics
/// If it fails in the child, or there is none of that name.
#[track_caller]
pub(crate) fn passed_alone(name: &str) -> bool {
    if child::is_child(name) {
        return false;
    }
    // A backtrace of each panic would take most of the time of some.
    let output = child::run(name, &[("RUST_BACKTRACE", "0")]);
    let [said, errors] = [output.stdout, output.stderr].map(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.into_owned()
    });
    print!("{errors}");
    let status = output.status;
    assert!(status.success(), "{name} failed alone: {status}: {errors}");
    assert!(said.contains("1 passed"), "no test is called {name}");
    true
}
