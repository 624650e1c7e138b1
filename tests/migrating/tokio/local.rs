//! Tasks that are not Send.

// snippet
use std::rc::Rc;
use tokio::task::{LocalSet, spawn_local};

async fn shared() -> usize {
    let local = LocalSet::new();
    let run = local.run_until(async {
        let text = Rc::new(String::from("here"));
        let task = spawn_local(async move { text.len() });
        task.await.expect("no panic")
    });
    run.await
}
// end

#[test]
fn runs() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { assert_eq!(shared().await, 4) });
}
