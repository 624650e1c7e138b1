#[gmp::main(flavor = "multi_thread", worker_threads = 4, start_paused = true)]
async fn main() {}

#[gmp::test(flavor = "current_thread", start_paused = true)]
async fn paused() {}
