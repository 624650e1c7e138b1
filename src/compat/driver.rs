//! The one Tokio runtime of the process.
//!
//! It lives on the stack of its thread, which never returns: nothing can shut it
//! down under those who hold its handle. A child of fork has no such thread, so it
//! forgets its parent's runtime and starts one of its own.

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use gmp_reactor::Origin;
use tokio::runtime::{Builder, Handle};

/// What a process knows of its runtime.
struct Driver {
    origin: Origin,
    handle: OnceLock<Handle>,
    /// Held by who starts it. A failure leaves nothing behind, so the next one tries
    /// again.
    starting: Mutex<()>,
    /// That of a child of fork, which cannot use this one: the thread is missing, and
    /// the lock may be held by another one that is.
    of_child: OnceLock<Box<Driver>>,
}

static FIRST: OnceLock<Driver> = OnceLock::new();

thread_local! {
    /// In which process the context became this thread's.
    static PRESENT: Cell<Option<Origin>> = const { Cell::new(None) };
}

impl Driver {
    fn new(origin: Origin) -> Driver {
        Driver {
            origin,
            handle: OnceLock::new(),
            starting: Mutex::new(()),
            of_child: OnceLock::new(),
        }
    }

    /// This process's.
    fn here() -> io::Result<&'static Driver> {
        let origin = Origin::watched()?;
        let mut driver = FIRST.get_or_init(|| Driver::new(origin));
        while driver.origin != origin {
            driver = driver
                .of_child
                .get_or_init(|| Box::new(Driver::new(origin)));
        }
        Ok(driver)
    }

    fn start(&self) -> io::Result<&Handle> {
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        let _alone = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        let handle = start_thread()?;
        Ok(self.handle.get_or_init(|| handle))
    }
}

/// Makes a Tokio runtime present in every task of this process, with nothing to wrap:
/// on each thread that polls tasks, for its whole life. It is there in the
/// calling task at once, and in every poll that begins after this has returned.
///
/// Starts the runtime, if none runs yet and none was lent by [`install_handle`].
/// Call it early in `main`: where it cannot start, this is an error, and
/// [`.compat()`](super::CompatExt::compat) a panic.
///
/// A thread that has a Tokio runtime already, as one in `tokio::runtime::Runtime::block_on`
/// has, keeps that. A thread that calls this or a `block_on` of gmp's has the context
/// afterwards as well. Other threads do not: what runs or drops a library's values
/// there still needs [`.compat()`](super::CompatExt::compat), or
/// [`handle()`]`.enter()`.
///
/// A child of fork has this as well, with a runtime of its own that starts with the
/// first poll of a task. What waits for its parent's runtime stays where it is.
///
/// # Errors
/// If the thread or Tokio's I/O driver cannot be made, for want of threads or
/// descriptors. Another call may succeed.
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// gmp::compat::install()?;
/// let task = gmp::spawn(async {
///     tokio::time::sleep(Duration::from_millis(1)).await;
///     tokio::spawn(async { 6 * 7 }).await.expect("no panic")
/// });
/// assert_eq!(gmp::block_on(task)?, 42);
/// # Ok(())
/// # }
/// ```
pub fn install() -> io::Result<()> {
    start()?;
    gmp_executor::before_polls(make_present);
    make_present();
    Ok(())
}

/// Leaves the context on this thread for good. Nothing is beneath it, but for the one of
/// a parent of this process: a guard that somebody still holds would be dropped out of
/// order.
fn make_present() {
    let before = PRESENT.get();
    if before.is_some_and(|origin| !origin.is_elsewhere()) {
        return;
    }
    let Ok(handle) = start() else { return };
    let free = || Handle::try_current().is_err_and(|error| error.is_missing_context());
    if before.is_some() || free() {
        PRESENT.set(Some(Origin::here()));
        let _stays = ManuallyDrop::new(handle.enter());
    }
}

/// Makes a Tokio runtime that the program runs anyway the one that is entered, so
/// that no other one starts: one with several threads, say, for a library that
/// spawns much. To be present without wrappers it needs [`install`] as well.
///
/// That runtime needs its I/O driver and timers (`enable_all`), and must outlive
/// every wrapper: what waits for a runtime that is gone fails or panics, by
/// Tokio's rules. A child of fork, which lacks its threads, does not have it.
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
    let Ok(driver) = Driver::here() else {
        return Err(handle);
    };
    let starting = driver.starting.lock();
    let _alone = starting.unwrap_or_else(PoisonError::into_inner);
    driver.handle.set(handle)
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
    Driver::here()?.start()
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
