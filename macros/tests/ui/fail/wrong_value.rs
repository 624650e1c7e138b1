#[gmp::main(
    procs = "4",
    max_threads = 1.5,
    thread_name = 7,
    thread_stack_size = -1,
    handoff = "yes",
    rules = "go1.17",
    seed = 'x',
    panic_policy = "ignore",
    sigquit = "core",
    crate = gmp
)]
async fn main() {}

#[gmp::test(leak_check = 1, virtual_time = "on")]
async fn test() {}
