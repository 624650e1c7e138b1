//! Every key, with literals, constants and expressions, and a comma at the end.

const PROCS: usize = 2;

fn name() -> String {
    String::from("svc")
}

#[gmp::main(
    procs = PROCS,
    max_threads = 8 * PROCS,
    thread_name = name(),
    thread_stack_size = 2 << 20,
    handoff = cfg!(unix),
    rules = "default",
    seed = 42,
    panic_policy = "shutdown",
    sigquit = "off",
    crate = "gmp",
)]
async fn main() {}
