#[gmp::test]
#[test]
async fn doubled() {}

#[gmp::test]
#[core::prelude::v1::test]
#[should_panic]
async fn doubled_by_path() {}

fn main() {}
