//! The type that `main` returns need not be named.

use std::process::{ExitCode, Termination};

#[gmp::main]
async fn main() -> impl Termination {
    if std::env::args().count() > 100 { Err("too many arguments") } else { Ok(ExitCode::SUCCESS) }
}
