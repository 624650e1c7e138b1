#[gmp::main]
async unsafe fn run() {}

#[gmp::main]
async unsafe extern "C" fn run_from_c() {}

fn main() {}
