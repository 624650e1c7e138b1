//! What `#[gmp::main]` and `#[gmp::test]` accept, and the sentences with which they refuse the rest.
//!
//! The programs are in `ui`: those in `pass` are compiled and must exit with success, those in
//! `fail` must end in the error text beside them. `TRYBUILD=overwrite cargo test -p gmp-macros --test macros_ui`
//! writes that text anew. The tests below use the attribute as a user's test does.

use std::cell::Cell;
use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;

#[test]
fn good_programs_run_and_bad_ones_hear_the_cure() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}

#[gmp::test]
async fn a_test_may_hold_what_is_not_send_across_an_await() {
    let seen = Rc::new(Cell::new(0));
    let inner = async { seen.set(seen.get() + 1) };
    inner.await;
    assert_eq!(seen.get(), 1);
}

#[gmp::test(procs = 2, thread_name = "ui", leak_check = true, virtual_time = true)]
async fn a_test_may_return_a_result() -> Result<(), Box<dyn Error>> {
    let number: u8 = std::future::ready("7").await.parse()?;
    if number != 7 {
        return Err(Box::new(std::fmt::Error));
    }
    Ok(())
}

#[gmp::test]
async fn a_test_may_return_an_exit_code() -> ExitCode {
    ExitCode::SUCCESS
}

#[gmp::test]
#[should_panic(expected = "the panic of the body")]
async fn a_panic_reaches_the_test_harness() {
    std::future::ready(()).await;
    panic!("the panic of the body");
}

#[gmp::test(panic_policy = "shutdown")]
#[should_panic(expected = "the panic of a task")]
async fn a_task_may_end_its_runtime() {
    gmp::spawn(async { panic!("the panic of a task") });
    std::future::pending().await
}

#[gmp::test(handoff = false, rules = "go117", seed = 7, max_threads = 2 + 6, thread_stack_size = 2 << 20)]
async fn every_knob_may_be_set() {}

#[gmp::test]
#[cfg(any())]
async fn a_test_may_be_configured_away() {
    compile_error!("this body is not part of the program");
}
