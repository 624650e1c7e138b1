//! Keys and bodies may come out of a `macro_rules!` macro.

macro_rules! entry {
    ($procs:literal, $name:expr, $body:block) => {
        #[gmp::main(procs = $procs, thread_name = $name)]
        async fn main() $body
    };
}

entry!(2, concat!("s", "vc"), {
    assert_eq!(std::future::ready(1).await, 1);
});
