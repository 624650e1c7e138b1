#[gmp::main(procs = 0, color = "red")]
fn main(verbose: bool) -> bool {
    verbose
}
