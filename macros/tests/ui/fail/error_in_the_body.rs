#[gmp::main(procs = workers())]
async fn main() {
    let count: u32 = "one";
    nowhere(count).await;
}
