//! A `main` that never returns.

#[gmp::main]
async fn main() -> ! {
    std::process::exit(0)
}
