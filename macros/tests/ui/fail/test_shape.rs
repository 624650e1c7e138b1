#[gmp::test]
fn not_async() {}

#[gmp::test]
async fn arguments(seed: u64) {
    drop(seed);
}

#[gmp::test]
async fn generics<T>()
where
    T: Send,
{
}

fn main() {}
