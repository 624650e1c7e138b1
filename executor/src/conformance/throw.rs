//! Broken invariants end the process.

use std::env;
use std::process::Command;

use super::kit::World;
use crate::sched::Rules;
use crate::throw::or_throw;

const CHILD: &str = "GMP_TEST_THROWS";

/// A thread of the runtime that panics takes the process with it, and says so: else
/// the program would hang without a word.
#[test]
fn a_thread_that_panics_ends_the_process() {
    if env::var_os(CHILD).is_some() {
        let world = World::new(Rules::Default, 1);
        return or_throw(&world.sched, || panic!("an invariant"));
    }
    let name = "conformance::throw::a_thread_that_panics_ends_the_process";
    let child = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("this test runs again");
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.code().is_none(), "it aborts: {told}");
    assert!(told.contains("an invariant"), "{told}");
    assert!(told.contains("fatal error: gmp: a thread"), "{told}");
    assert!(told.contains("SCHED "), "{told}");
}
