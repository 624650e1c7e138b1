//! A value of a task.

// snippet
tokio::task_local! {
    static REQUEST: u64;
}

async fn serve() -> u64 {
    let parent = REQUEST.get();
    let work = REQUEST.scope(parent, async { REQUEST.get() });
    tokio::spawn(work).await.expect("no panic")
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert_eq!(REQUEST.scope(7, serve()).await, 7) });
}
