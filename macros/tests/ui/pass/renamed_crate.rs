//! `gmp` may be known under another path, and need not be known as `gmp`.

mod deps {
    pub use gmp as scheduler;
}

mod gmp_is_taken {
    pub fn answer() -> u8 {
        42
    }
}

use deps::scheduler;
use gmp_is_taken as gmp;

#[scheduler::main(crate = "crate::deps::scheduler", rules = "go117")]
async fn main() {
    assert_eq!(gmp::answer(), 42);
}
