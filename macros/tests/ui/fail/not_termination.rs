struct Report;

#[gmp::main]
async fn main() -> Report {
    Report
}
