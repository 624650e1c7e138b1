//! Tasks that can never go on.

use std::io;
use std::sync::Arc;
use std::task::{Poll, Waker};

use gmp::profiler::leak;
use gmp::sync::{Barrier, Mutex};

/// Two tasks that take two locks in opposite orders, and one that awaits both. With
/// `GMP_DEBUG=deadlock=fatal` the process ends with status 2.
pub(crate) async fn deadlock() -> io::Result<()> {
    async fn takes(first: Arc<Mutex<()>>, second: Arc<Mutex<()>>, both: Arc<Barrier>) {
        let _first = first.lock().await;
        both.wait().await;
        let _second = second.lock().await;
    }
    let (x, y) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
    let both = Arc::new(Barrier::new(2));
    let one = gmp::spawn(takes(x.clone(), y.clone(), both.clone()));
    let other = gmp::spawn(takes(y, x, both));
    one.await.map_err(io::Error::other)?;
    other.await.map_err(io::Error::other)
}

/// A task that gives nobody its waker.
pub(crate) async fn orphan_birth() -> io::Result<()> {
    drop(gmp::spawn(std::future::pending::<()>()));
    tell_the_proof().await.map(drop)
}

/// A task whose last waker is dropped by another one. Who that was is known with debug
/// assertions, or with `RUSTFLAGS="--cfg gmp_watch_wakers"`.
pub(crate) async fn orphan_drop() -> io::Result<()> {
    let (tx, rx) = gmp::chan::unbounded::<Waker>();
    drop(gmp::spawn(std::future::poll_fn(move |cx| {
        tx.try_send(cx.waker().clone()).unwrap_or_default();
        Poll::<()>::Pending
    })));
    let culprit = gmp::spawn(async move {
        let waker = rx.recv().await;
        gmp::task::yield_now().await;
        drop(waker);
    });
    let dropped = format!(" was dropped by goroutine {}, ", culprit.id());
    culprit.await.map_err(io::Error::other)?;
    let told = tell_the_proof().await?;
    if told.contains(&dropped) == leak::NAMES_DROPPERS {
        Ok(())
    } else {
        Err(io::Error::other("who dropped the last waker is not told"))
    }
}

async fn tell_the_proof() -> io::Result<String> {
    let options = leak::Options::new().only_proven();
    while leak::proven().is_empty() {
        gmp::task::yield_now().await;
    }
    match leak::find(&options) {
        Err(report) => {
            let text = report.to_string();
            println!("{text}");
            Ok(text)
        }
        Ok(()) => Err(io::Error::other("what was proven is gone")),
    }
}
