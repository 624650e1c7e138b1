//! Directories of a test's own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A new directory, which is removed with what is in it.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("gmp-test-{}-{n}", std::process::id()));
        // What is left of another process with this number.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).expect("a new directory");
        Dir(dir)
    }

    /// A place in it; of no name, the directory itself.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
