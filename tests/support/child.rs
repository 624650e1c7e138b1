//! Runs one test of the present binary again, alone in a process of its own.

use std::process::{Command, Output};

const MARK: &str = "GMP_TEST_CHILD";

/// Whether this process is such a child, for the test `name`.
pub(crate) fn is_child(name: &str) -> bool {
    std::env::var(MARK).is_ok_and(|child| child == name)
}

/// Runs the test `name` in a child with these variables set, and returns its
/// exit and its output.
pub(crate) fn run(name: &str, env: &[(&str, &str)]) -> Output {
    let exe = std::env::current_exe().expect("the path of this binary");
    Command::new(exe)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, name)
        .envs(env.iter().copied())
        .output()
        .expect("a child process")
}
