#[gmp::main(procs)]
async fn main() {}

#[gmp::main(procs =)]
async fn no_value() {}

#[gmp::main(procs(4))]
async fn call() {}

#[gmp::main(procs = 4 seed = 1)]
async fn no_comma() {}

#[gmp::main("multi_thread")]
async fn no_key() {}

#[gmp::main(procs = +)]
async fn no_expression() {}
