#[gmp::main(procs = 0)]
async fn main() {}

#[gmp::test(procs = 0x0)]
async fn test() {}
