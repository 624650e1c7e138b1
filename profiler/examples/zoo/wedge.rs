//! Tasks that keep every P, and answers all the same.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// More polls that never end than there are Ps; a thread that is none of the runtime's
/// asks what goes on, three times.
pub(crate) async fn wedge() -> io::Result<()> {
    const HOGS: u32 = 4;
    let (on, begun) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let asks = std::thread::spawn({
        let (on, begun) = (on.clone(), begun.clone());
        move || {
            while begun.load(Ordering::Relaxed) < HOGS {
                std::thread::sleep(Duration::from_millis(1));
            }
            let told = [(); 3].map(|()| {
                std::thread::sleep(Duration::from_millis(100));
                let (asked, mut text) = (Instant::now(), Vec::new());
                gmp_profiler::dump(&mut text).map(|()| (asked.elapsed(), text))
            });
            on.store(false, Ordering::Relaxed);
            told
        }
    });
    let hogs = [(); HOGS as usize].map(|()| {
        let (on, begun) = (on.clone(), begun.clone());
        gmp::spawn(async move {
            begun.fetch_add(1, Ordering::Relaxed);
            while on.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })
    });
    let ids = hogs.each_ref().map(gmp::task::JoinHandle::id);
    for hog in hogs {
        hog.await.map_err(io::Error::other)?;
    }
    for told in asks.join().expect("no panic") {
        let (took, text) = told?;
        let text = String::from_utf8_lossy(&text);
        println!("# written in {took:?}\n{text}");
        let runs = |id| text.contains(&format!("\ngoroutine {id} [run"));
        if !ids.iter().all(runs) {
            return Err(io::Error::other("a task is not told of"));
        }
    }
    Ok(())
}
