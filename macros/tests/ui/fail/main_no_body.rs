#[gmp::main]
async fn main();
