use std::process::ExitCode;

#[gmp::main]
async fn main() -> Result<(), std::num::ParseIntError> {
    let number: u8 = "7".parse()?;
    number
}

#[gmp::main]
async fn exit_code() -> ExitCode {
    if early() {
        return "early";
    }
    std::future::ready(()).await;
}

fn early() -> bool {
    true
}
