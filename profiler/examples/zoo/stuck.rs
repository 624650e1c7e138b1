//! Tasks that can never go on.

use std::io;
use std::sync::Arc;

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
