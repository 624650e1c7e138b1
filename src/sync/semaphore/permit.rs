//! Permits that are out, and come back when they are dropped.

use std::sync::Arc;

use super::Semaphore;

/// Permits of a [`Semaphore`]; dropping it gives them back.
///
/// ```
/// # gmp::block_on(async {
/// let semaphore = gmp::sync::Semaphore::new(3);
/// let mut all = semaphore.acquire_many(3).await.expect("never closed");
/// let one = all.split(1).expect("three are more than one");
/// drop(all);
/// assert_eq!((semaphore.available_permits(), one.num_permits()), (2, 1));
/// # });
/// ```
#[derive(Debug)]
#[must_use = "a permit that is dropped at once permits nothing"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    permits: usize,
}

/// Permits of a [`Semaphore`] in an `Arc`; dropping it gives them back.
///
/// ```
/// # gmp::block_on(async {
/// let semaphore = std::sync::Arc::new(gmp::sync::Semaphore::new(1));
/// let permit = semaphore.clone().acquire_owned().await.expect("never closed");
/// // For one that is not to be given back:
/// permit.forget();
/// assert_eq!(semaphore.available_permits(), 0);
/// # });
/// ```
#[derive(Debug)]
#[must_use = "a permit that is dropped at once permits nothing"]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    permits: usize,
}

impl<'a> SemaphorePermit<'a> {
    pub(super) fn new(semaphore: &'a Semaphore, permits: usize) -> SemaphorePermit<'a> {
        SemaphorePermit { semaphore, permits }
    }

    /// Ends it without giving anything back: the semaphore has fewer for good.
    pub fn forget(mut self) {
        self.permits = 0;
    }

    /// How many permits these are.
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    /// If `other` is of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            std::ptr::eq(self.semaphore, other.semaphore),
            "permits of two semaphores cannot be merged: keep both"
        );
        self.permits += std::mem::take(&mut other.permits);
    }

    /// Takes `n` of these permits apart; none if there are fewer.
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        Some(SemaphorePermit::new(self.semaphore, n))
    }
}

impl OwnedSemaphorePermit {
    pub(super) fn new(semaphore: Arc<Semaphore>, permits: usize) -> OwnedSemaphorePermit {
        OwnedSemaphorePermit { semaphore, permits }
    }

    /// Ends it without giving anything back: the semaphore has fewer for good.
    pub fn forget(mut self) {
        self.permits = 0;
    }

    /// How many permits these are.
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    /// The semaphore that they are of.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    /// If `other` is of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "permits of two semaphores cannot be merged: keep both"
        );
        self.permits += std::mem::take(&mut other.permits);
    }

    /// Takes `n` of these permits apart; none if there are fewer.
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        Some(OwnedSemaphorePermit::new(self.semaphore.clone(), n))
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.give_back(self.permits);
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.give_back(self.permits);
    }
}
