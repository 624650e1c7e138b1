//! Tasks that can never go on.

use std::io;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

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

/// When a task became one that nobody can wake.
type Moment = Arc<OnceLock<Instant>>;

/// A task that gives nobody its waker.
pub(crate) async fn orphan_birth() -> io::Result<()> {
    let noted = Moment::default();
    let notes = noted.clone();
    drop(gmp::spawn(std::future::poll_fn(move |_| {
        notes.get_or_init(Instant::now);
        Poll::<()>::Pending
    })));
    tell_the_proof(&noted).await.map(drop)
}

/// A task whose last waker is dropped by another one. Who that was is known with debug
/// assertions, or with `RUSTFLAGS="--cfg gmp_watch_wakers"`.
pub(crate) async fn orphan_drop() -> io::Result<()> {
    let (tx, rx) = gmp::chan::unbounded::<Waker>();
    drop(gmp::spawn(std::future::poll_fn(move |cx| {
        tx.try_send(cx.waker().clone()).unwrap_or_default();
        Poll::<()>::Pending
    })));
    let noted = Moment::default();
    let notes = noted.clone();
    let culprit = gmp::spawn(async move {
        let waker = rx.recv().await;
        gmp::task::yield_now().await;
        notes.get_or_init(Instant::now);
        drop(waker);
    });
    let dropped = format!(" was dropped by goroutine {}, ", culprit.id());
    culprit.await.map_err(io::Error::other)?;
    let told = tell_the_proof(&noted).await?;
    if told.contains(&dropped) == leak::NAMES_DROPPERS {
        Ok(())
    } else {
        Err(io::Error::other("who dropped the last waker is not told"))
    }
}

/// Prints the proof, and how long after the leak it was there.
async fn tell_the_proof(noted: &Moment) -> io::Result<String> {
    // The design wants ten milliseconds; a machine with other things to do is later.
    const LATE: Duration = Duration::from_secs(2);
    let options = leak::Options::new().only_proven();
    while leak::proven().is_empty() {
        gmp::task::yield_now().await;
    }
    let after = noted.get().map(Instant::elapsed).unwrap_or_default();
    match leak::find(&options) {
        Err(report) => {
            let text = report.to_string();
            println!(
                "{text}\n# reported {:.3} ms after the leak",
                after.as_secs_f64() * 1e3
            );
            assert!(after < LATE, "the proof came late");
            Ok(text)
        }
        Ok(()) => Err(io::Error::other("what was proven is gone")),
    }
}
