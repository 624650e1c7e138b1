//! Files: `std::fs` by its own names, as futures.
//!
//! Each call runs where it is awaited, in a [blocking section]: there is no pool
//! and no copy of a buffer. A call that is over within a tick of sysmon, as nearly
//! all that the page cache can answer, costs no thread; while a longer one waits for
//! the disk, its P runs other tasks elsewhere. Every future is ready at its first
//! poll, unless the task was asked to give way: then it has done nothing yet.
//!
//! Errors are those of the function of the same name in [`std::fs`]. Outside a gmp
//! task the calls simply block.
//!
//! # Cancel safety
//! Everything here is cancel safe: a future that is dropped has done nothing at all
//! or has been ready.
//!
//! ```
//! use gmp::fs;
//!
//! # fn main() -> std::io::Result<()> {
//! gmp::block_on(async {
//!     let dir = std::env::temp_dir().join(format!("gmp-fs-doc-{}", std::process::id()));
//!     fs::create_dir_all(&dir).await?;
//!     fs::write(dir.join("a.txt"), "hello").await?;
//!     assert_eq!(fs::read_to_string(dir.join("a.txt")).await?, "hello");
//!     fs::rename(dir.join("a.txt"), dir.join("b.txt")).await?;
//!     let mut entries = fs::read_dir(&dir).await?;
//!     while let Some(entry) = entries.next_entry().await? {
//!         assert_eq!(entry.file_name(), "b.txt");
//!     }
//!     fs::remove_dir_all(&dir).await
//! })
//! # }
//! ```
//!
//! [blocking section]: crate::task::block_in_place

mod dir;
mod file;
#[cfg(feature = "tokio-io")]
mod tokio_io;

use std::io;
use std::path::{Path, PathBuf};

pub use std::fs::{FileTimes, FileType, Metadata, Permissions};

pub use self::dir::{DirBuilder, DirEntry, ReadDir, read_dir};
pub use self::file::{File, OpenOptions};
use crate::task::{block_in_place, safepoint};

/// Gives way if asked, then runs `call` as a whole.
async fn inline<R>(call: impl FnOnce() -> R) -> R {
    safepoint().await;
    block_in_place(call)
}

/// The absolute path with all links resolved.
///
/// # Errors
/// Those of [`std::fs::canonicalize`].
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    inline(|| std::fs::canonicalize(path)).await
}

/// Copies contents and permissions; the number of bytes copied. The kernel copies,
/// where it can.
///
/// # Errors
/// Those of [`std::fs::copy`].
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    inline(|| std::fs::copy(from, to)).await
}

/// Makes a directory in one that is there.
///
/// # Errors
/// Those of [`std::fs::create_dir`].
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::fs::create_dir(path)).await
}

/// Makes a directory and those above it, as far as they are missing.
///
/// # Errors
/// Those of [`std::fs::create_dir_all`].
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::fs::create_dir_all(path)).await
}

/// Gives a file one more name.
///
/// # Errors
/// Those of [`std::fs::hard_link`].
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::fs::hard_link(original, link)).await
}

/// What the system knows of a file; links are followed.
///
/// # Errors
/// Those of [`std::fs::metadata`].
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    inline(|| std::fs::metadata(path)).await
}

/// The bytes of a file.
///
/// # Errors
/// Those of [`std::fs::read`].
///
/// ```
/// # gmp::block_on(async {
/// assert!(!gmp::fs::read("/proc/self/stat").await.expect("Linux").is_empty());
/// # });
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    inline(|| std::fs::read(path)).await
}

/// Where a symbolic link points.
///
/// # Errors
/// Those of [`std::fs::read_link`].
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    inline(|| std::fs::read_link(path)).await
}

/// The text of a file.
///
/// # Errors
/// Those of [`std::fs::read_to_string`]; `InvalidData` if it is not UTF-8.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    inline(|| std::fs::read_to_string(path)).await
}

/// Removes an empty directory.
///
/// # Errors
/// Those of [`std::fs::remove_dir`].
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::fs::remove_dir(path)).await
}

/// Removes a directory and all in it.
///
/// # Errors
/// Those of [`std::fs::remove_dir_all`].
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::fs::remove_dir_all(path)).await
}

/// Removes a file.
///
/// # Errors
/// Those of [`std::fs::remove_file`].
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::fs::remove_file(path)).await
}

/// Renames a file or directory; one of the new name is replaced.
///
/// # Errors
/// Those of [`std::fs::rename`].
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::fs::rename(from, to)).await
}

/// Changes the permissions of a file or directory.
///
/// # Errors
/// Those of [`std::fs::set_permissions`].
pub async fn set_permissions(path: impl AsRef<Path>, to: Permissions) -> io::Result<()> {
    inline(|| std::fs::set_permissions(path, to)).await
}

/// Makes a symbolic link.
///
/// # Errors
/// Those of [`std::os::unix::fs::symlink`].
#[cfg(unix)]
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    inline(|| std::os::unix::fs::symlink(original, link)).await
}

/// What the system knows of a file; a link is not followed.
///
/// # Errors
/// Those of [`std::fs::symlink_metadata`].
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    inline(|| std::fs::symlink_metadata(path)).await
}

/// Whether there is something of this name.
///
/// # Errors
/// Those of [`std::fs::exists`]: the answer is not known, for want of the right to
/// look.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    inline(|| std::fs::exists(path)).await
}

/// Makes `contents` those of a file, which is made if there is none.
///
/// # Errors
/// Those of [`std::fs::write`].
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    inline(|| std::fs::write(path, contents)).await
}
