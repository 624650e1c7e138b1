//! A child of fork has a Tokio runtime of its own, not its parent's without threads.

use std::time::Duration;

use gmp::compat::{CompatExt, handle, install};
use gmp::runtime::Builder;

use crate::alone;
use crate::forked::fork;

/// Tokio's timer, task and socket, within a task of the global runtime.
fn tokio_answers() -> u32 {
    let task = gmp::spawn(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let client = tokio::spawn(async move { tokio::net::TcpStream::connect(at).await });
        listener.accept().await?;
        client.await.expect("no panic")?;
        std::io::Result::Ok(42)
    });
    gmp::block_on(task).expect("no panic").expect("sockets")
}

#[test]
fn a_child_has_a_tokio_of_its_own_where_it_is_installed() {
    alone(
        "fork::a_child_has_a_tokio_of_its_own_where_it_is_installed",
        || {
            install().expect("started");
            assert_eq!(tokio_answers(), 42);
            let parents = handle().id();
            let child = fork(|| {
                // As the parent installed it: nothing to call, on this thread and others.
                assert_eq!(tokio_answers(), 42);
                assert_ne!(handle().id(), parents);
                let root = gmp::block_on(async { tokio::spawn(async { 7 }).await });
                assert_eq!(root.expect("no panic"), 7);
                install().expect("again");
                let grandchild = fork(|| assert_eq!(tokio_answers(), 42));
                grandchild.ended_well();
                assert_eq!(tokio_answers(), 42);
            });
            child.ended_well();
            assert_eq!((tokio_answers(), handle().id()), (42, parents));
        },
    );
}

#[test]
fn a_child_wraps_and_lends_as_its_parent_did() {
    alone("fork::a_child_wraps_and_lends_as_its_parent_did", || {
        let lent = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        gmp::compat::install_handle(lent.handle().clone()).expect("the first");
        let nap = || async { tokio::time::sleep(Duration::from_millis(1)).await }.compat();
        gmp::block_on(nap());
        let child = fork(|| {
            let runtime = Builder::new().procs(1).build().expect("a runtime");
            let task = runtime.spawn(nap());
            runtime.block_on(task).expect("no panic");
            assert_ne!(handle().id(), lent.handle().id());
        });
        child.ended_well();
        let child = fork(|| {
            let own = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            gmp::compat::install_handle(own.handle().clone()).expect("the first here");
            gmp::block_on(nap());
            assert_eq!(handle().id(), own.handle().id());
        });
        child.ended_well();
    });
}
