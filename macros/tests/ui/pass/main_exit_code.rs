//! The exit code of the body is that of the program.

use std::process::ExitCode;

#[gmp::main]
async fn main() -> ExitCode {
    std::future::ready(ExitCode::SUCCESS).await
}
