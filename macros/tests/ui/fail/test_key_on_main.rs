#[gmp::main(leak_check = true, virtual_time = true)]
async fn main() {}
