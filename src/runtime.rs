//! Runtimes: [`Builder`], [`Runtime`], [`Handle`], [`Metrics`].
//!
//! ```
//! use gmp::runtime::Builder;
//!
//! # fn main() -> std::io::Result<()> {
//! let rt = Builder::new().procs(2).thread_name("svc").build()?;
//! let sum = rt.block_on(async {
//!     let parts: Vec<_> = (0..4).map(|i| gmp::spawn(async move { i })).collect();
//!     let mut sum = 0;
//!     for part in parts {
//!         sum += part.await.expect("no panic");
//!     }
//!     sum
//! });
//! assert_eq!(sum, 6);
//! # Ok(())
//! # }
//! ```

pub use gmp_executor::{
    Builder, EnterGuard, Handle, Latency, Metrics, PanicPolicy, ProcMetrics, Rules, Runtime,
    ShutdownReport, TaskPanic, TryCurrentError,
};
