#[gmp::main(procs = 4, seed = 1, procs = 2)]
async fn main() {}
