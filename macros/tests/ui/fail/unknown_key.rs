#[gmp::main(process = 4)]
async fn main() {}

#[gmp::test(leak_chek = true)]
async fn leaks() {}
