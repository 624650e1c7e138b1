//! `?`, an early `return` and its coercion to a boxed error work as in any `async fn`.

use std::error::Error;

#[gmp::main(procs = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let number: u8 = std::future::ready("7").await.parse()?;
    if number != 7 {
        return Err(Box::new(std::fmt::Error));
    }
    Ok(())
}
