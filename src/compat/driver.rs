//! The one Tokio runtime of the process.
//!
//! It lives on the stack of its thread, which never returns: nothing can shut it
//! down under those who hold its handle.

use std::future::pending;
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Handle};

static HANDLE: OnceLock<Handle> = OnceLock::new();

/// Held by who starts it. A failure leaves nothing behind, so the next one tries
/// again.
static STARTING: Mutex<()> = Mutex::new(());

/// Starts the Tokio runtime that [`Compat`](super::Compat) enters, if none runs
/// yet. Everything in this module does that by itself at first use; called early
/// in `main`, this meets a failure as an error, where they panic.
///
/// # Errors
/// If the thread or Tokio's I/O driver cannot be made, for want of threads or
/// descriptors. Another call may succeed.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// gmp::compat::install()?;
/// # Ok(())
/// # }
/// ```
pub fn install() -> io::Result<()> {
    start().map(drop)
}

/// Makes a Tokio runtime that the program runs anyway the one that is entered, so
/// that no other one starts: one with several threads, say, for a library that
/// spawns much.
///
/// That runtime needs its I/O driver and timers (`enable_all`), and must outlive
/// every wrapper: what waits for a runtime that is gone fails or panics, by
/// Tokio's rules.
///
/// # Errors
/// Gives `handle` back if there is one already, of this module's or lent.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let tokio = tokio::runtime::Builder::new_multi_thread()
///     .worker_threads(2)
///     .enable_all()
///     .build()?;
/// gmp::compat::install_handle(tokio.handle().clone()).expect("the first one");
/// assert_eq!(gmp::compat::handle().id(), tokio.handle().id());
/// # Ok(())
/// # }
/// ```
pub fn install_handle(handle: Handle) -> Result<(), Handle> {
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    HANDLE.set(handle)
}

/// The runtime that is entered: to spawn on it, or to enter it around calls that
/// look for a runtime without being polled. Starts it if need be.
///
/// # Panics
/// If it cannot start: see [`install`].
///
/// ```
/// let client = {
///     let _context = gmp::compat::handle().enter();
///     // Here a constructor of a library finds its runtime.
///     tokio::time::sleep(std::time::Duration::from_millis(1))
/// };
/// gmp::block_on(client);
/// ```
#[track_caller]
pub fn handle() -> &'static Handle {
    match start() {
        Ok(handle) => handle,
        Err(error) => panic!(
            "gmp::compat cannot start its Tokio runtime: {error}; \
             call gmp::compat::install() early to meet this as an error"
        ),
    }
}

fn start() -> io::Result<&'static Handle> {
    if let Some(handle) = HANDLE.get() {
        return Ok(handle);
    }
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = HANDLE.get() {
        return Ok(handle);
    }
    let handle = start_thread()?;
    Ok(HANDLE.get_or_init(|| handle))
}

/// The runtime is built on its own thread: where that fails, it is dropped there,
/// and not within a runtime that the caller may be in, which Tokio forbids.
fn start_thread() -> io::Result<Handle> {
    let (tell, told) = sync_channel(1);
    thread::Builder::new()
        .name("gmp-tokio".to_owned())
        .spawn(move || {
            let built = Builder::new_current_thread()
                .thread_name("gmp-tokio-pool")
                .enable_io()
                .enable_time()
                .build();
            match built {
                Ok(runtime) => {
                    // Who asked waits for it.
                    let _ = tell.send(Ok(runtime.handle().clone()));
                    runtime.block_on(pending::<()>());
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                }
            }
        })?;
    told.recv()
        .unwrap_or_else(|_| Err(io::Error::other("Tokio panicked at its start")))
}
