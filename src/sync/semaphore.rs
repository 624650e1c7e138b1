//! A number of permits that tasks share.

mod permit;
pub(super) mod permits;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use gmp_executor::WaitReason;
use gmp_executor::held::Guard;

pub use self::permit::{OwnedSemaphorePermit, SemaphorePermit};

use self::permits::{Permits, Refused};

/// A number of permits. A task takes one or some, waits while there are too few,
/// and gives them back when it drops what it got.
///
/// Who waits longest goes first, and nobody overtakes: while somebody waits for
/// many permits, a wish for one waits behind it, and
/// [`try_acquire`](Semaphore::try_acquire) fails.
///
/// ```
/// use std::sync::Arc;
/// use gmp::sync::Semaphore;
///
/// # gmp::block_on(async {
/// let at_most_two = Arc::new(Semaphore::new(2));
/// let mut tasks = Vec::new();
/// for n in 0..10 {
///     let permit = at_most_two.clone().acquire_owned().await.expect("never closed");
///     tasks.push(gmp::spawn(async move {
///         let _permit = permit;
///         n * n
///     }));
/// }
/// for task in tasks {
///     task.await.expect("no panic");
/// }
/// assert_eq!(at_most_two.available_permits(), 2);
/// # });
/// ```
#[derive(Debug)]
pub struct Semaphore {
    permits: Permits,
}

impl Semaphore {
    /// The most permits that one semaphore may have.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// A semaphore with this many permits.
    ///
    /// # Panics
    /// If there are more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
    pub const fn new(permits: usize) -> Semaphore {
        assert!(
            permits <= Semaphore::MAX_PERMITS,
            "a semaphore has at most MAX_PERMITS permits"
        );
        Semaphore {
            permits: Permits::new(permits),
        }
    }

    /// As [`Semaphore::new`], under the name that Tokio has for statics.
    ///
    /// # Panics
    /// As [`Semaphore::new`].
    pub const fn const_new(permits: usize) -> Semaphore {
        Semaphore::new(permits)
    }

    /// How many permits are free.
    pub fn available_permits(&self) -> usize {
        self.permits.free()
    }

    /// Adds permits, for good.
    ///
    /// # Panics
    /// If there were more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS) then.
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        assert!(
            self.permits.release(permits, Semaphore::MAX_PERMITS),
            "a semaphore has at most MAX_PERMITS permits: add fewer"
        );
    }

    /// Takes up to this many of the free permits away, for good. Returns how many
    /// it found.
    pub fn forget_permits(&self, permits: usize) -> usize {
        self.permits.forget(permits)
    }

    /// Waits for one permit.
    ///
    /// # Errors
    /// If the semaphore is or becomes closed.
    ///
    /// # Cancel safety
    /// Yes; the place in the queue is lost, and a permit that was granted already
    /// goes to the next.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        self.acquire_many(1)
    }

    /// Waits for that many permits at once.
    ///
    /// # Errors
    /// If the semaphore is or becomes closed.
    ///
    /// # Cancel safety
    /// As [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_many(
        &self,
        n: u32,
    ) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        let location = Location::caller();
        async move {
            let n = n as usize;
            let waiting =
                self.permits
                    .acquire(n, WaitReason::SemAcquire, location, Guard::Borrowed);
            match waiting.await {
                true => Ok(SemaphorePermit::new(self, n)),
                false => Err(AcquireError),
            }
        }
    }

    /// Waits for one permit that may outlive this borrow.
    ///
    /// # Errors
    /// If the semaphore is or becomes closed.
    ///
    /// # Cancel safety
    /// As [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_owned(
        self: Arc<Self>,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        self.acquire_many_owned(1)
    }

    /// Waits for that many permits at once, which may outlive this borrow.
    ///
    /// # Errors
    /// If the semaphore is or becomes closed.
    ///
    /// # Cancel safety
    /// As [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        let location = Location::caller();
        async move {
            let n = n as usize;
            let waiting = self
                .permits
                .acquire(n, WaitReason::SemAcquire, location, Guard::Owned);
            match waiting.await {
                true => Ok(OwnedSemaphorePermit::new(self, n)),
                false => Err(AcquireError),
            }
        }
    }

    /// Takes one permit if that needs no waiting.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] if none is free or others wait;
    /// [`TryAcquireError::Closed`].
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes that many permits if that needs no waiting.
    ///
    /// # Errors
    /// As [`Semaphore::try_acquire`].
    pub fn try_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.permits.try_acquire(n as usize, Guard::Borrowed)?;
        Ok(SemaphorePermit::new(self, n as usize))
    }

    /// As [`Semaphore::try_acquire`]; the permit may outlive this borrow.
    ///
    /// # Errors
    /// As [`Semaphore::try_acquire`].
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`Semaphore::try_acquire_many`]; the permit may outlive this borrow.
    ///
    /// # Errors
    /// As [`Semaphore::try_acquire`].
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.permits.try_acquire(n as usize, Guard::Owned)?;
        Ok(OwnedSemaphorePermit::new(self, n as usize))
    }

    /// Closes it: nobody gets a permit any more, and who waits gets an error.
    /// Permits that are out stay valid.
    pub fn close(&self) {
        self.permits.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    fn give_back(&self, permits: usize) {
        // They were counted among at most MAX_PERMITS when they were taken; if
        // others were added meanwhile, these are what is too many.
        self.permits.release(permits, Semaphore::MAX_PERMITS);
    }
}

/// The semaphore is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AcquireError;

/// Why a permit cannot be had at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryAcquireError {
    /// The semaphore is closed.
    Closed,
    /// Too few are free, or others wait.
    NoPermits,
}

impl From<Refused> for TryAcquireError {
    fn from(refused: Refused) -> TryAcquireError {
        match refused {
            Refused::TooFew => TryAcquireError::NoPermits,
            Refused::Closed => TryAcquireError::Closed,
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "the semaphore is closed",
            TryAcquireError::NoPermits => "too few permits are free",
        })
    }
}

impl Error for AcquireError {}
impl Error for TryAcquireError {}
