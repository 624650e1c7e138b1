//! A value of a task.

// snippet
gmp::task_local! {
    static REQUEST: u64;
}

async fn serve() -> u64 {
    let work = REQUEST.inherit(async { REQUEST.get() });
    gmp::spawn(work).await.expect("no panic")
}
// end

#[test]
fn runs() {
    assert_eq!(gmp::block_on(REQUEST.scope(7, serve())), 7);
}
