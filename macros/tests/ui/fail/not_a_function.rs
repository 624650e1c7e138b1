#[gmp::main]
struct Service {
    name: String,
}

#[gmp::test]
mod tests {}

fn main() {
    let _ = Service { name: String::new() };
}
