#[gmp::main]
async fn main(args: Vec<String>, count: usize) {
    drop((args, count));
}
