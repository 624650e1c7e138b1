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
use std::panic::Location;
use std::path::{Path, PathBuf};

pub use std::fs::{FileTimes, FileType, Metadata, Permissions};

use gmp_executor::block_in_place_at;

pub use self::dir::{DirBuilder, DirEntry, ReadDir, read_dir};
pub use self::file::{File, OpenOptions};
use crate::task::safepoint;

/// Gives way if asked, then runs `call` as a whole. Dumps show the line that calls.
#[track_caller]
fn inline<R>(call: impl FnOnce() -> R) -> impl Future<Output = R> {
    let here = Location::caller();
    async move {
        safepoint().await;
        block_in_place_at(here, call)
    }
}

/// The absolute path with all links resolved.
///
/// # Errors
/// Those of [`std::fs::canonicalize`].
#[track_caller]
pub fn canonicalize(path: impl AsRef<Path>) -> impl Future<Output = io::Result<PathBuf>> {
    inline(move || std::fs::canonicalize(path))
}

/// Copies contents and permissions; the number of bytes copied. The kernel copies,
/// where it can.
///
/// # Errors
/// Those of [`std::fs::copy`].
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> impl Future<Output = io::Result<u64>> {
    inline(move || std::fs::copy(from, to))
}

/// Makes a directory in one that is there.
///
/// # Errors
/// Those of [`std::fs::create_dir`].
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::create_dir(path))
}

/// Makes a directory and those above it, as far as they are missing.
///
/// # Errors
/// Those of [`std::fs::create_dir_all`].
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::create_dir_all(path))
}

/// Gives a file one more name.
///
/// # Errors
/// Those of [`std::fs::hard_link`].
#[track_caller]
pub fn hard_link(
    original: impl AsRef<Path>,
    link: impl AsRef<Path>,
) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::hard_link(original, link))
}

/// What the system knows of a file; links are followed.
///
/// # Errors
/// Those of [`std::fs::metadata`].
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Metadata>> {
    inline(move || std::fs::metadata(path))
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
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Vec<u8>>> {
    inline(move || std::fs::read(path))
}

/// Where a symbolic link points.
///
/// # Errors
/// Those of [`std::fs::read_link`].
#[track_caller]
pub fn read_link(path: impl AsRef<Path>) -> impl Future<Output = io::Result<PathBuf>> {
    inline(move || std::fs::read_link(path))
}

/// The text of a file.
///
/// # Errors
/// Those of [`std::fs::read_to_string`]; `InvalidData` if it is not UTF-8.
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> impl Future<Output = io::Result<String>> {
    inline(move || std::fs::read_to_string(path))
}

/// Removes an empty directory.
///
/// # Errors
/// Those of [`std::fs::remove_dir`].
#[track_caller]
pub fn remove_dir(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::remove_dir(path))
}

/// Removes a directory and all in it.
///
/// # Errors
/// Those of [`std::fs::remove_dir_all`].
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::remove_dir_all(path))
}

/// Removes a file.
///
/// # Errors
/// Those of [`std::fs::remove_file`].
#[track_caller]
pub fn remove_file(path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::remove_file(path))
}

/// Renames a file or directory; one of the new name is replaced.
///
/// # Errors
/// Those of [`std::fs::rename`].
#[track_caller]
pub fn rename(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::rename(from, to))
}

/// Changes the permissions of a file or directory.
///
/// # Errors
/// Those of [`std::fs::set_permissions`].
#[track_caller]
pub fn set_permissions(
    path: impl AsRef<Path>,
    to: Permissions,
) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::set_permissions(path, to))
}

/// Makes a symbolic link.
///
/// # Errors
/// Those of [`std::os::unix::fs::symlink`].
#[cfg(unix)]
#[track_caller]
pub fn symlink(
    original: impl AsRef<Path>,
    link: impl AsRef<Path>,
) -> impl Future<Output = io::Result<()>> {
    inline(move || std::os::unix::fs::symlink(original, link))
}

/// What the system knows of a file; a link is not followed.
///
/// # Errors
/// Those of [`std::fs::symlink_metadata`].
#[track_caller]
pub fn symlink_metadata(path: impl AsRef<Path>) -> impl Future<Output = io::Result<Metadata>> {
    inline(move || std::fs::symlink_metadata(path))
}

/// Whether there is something of this name.
///
/// # Errors
/// Those of [`std::fs::exists`]: the answer is not known, for want of the right to
/// look.
#[track_caller]
pub fn try_exists(path: impl AsRef<Path>) -> impl Future<Output = io::Result<bool>> {
    inline(move || std::fs::exists(path))
}

/// Makes `contents` those of a file, which is made if there is none.
///
/// # Errors
/// Those of [`std::fs::write`].
#[track_caller]
pub fn write(
    path: impl AsRef<Path>,
    contents: impl AsRef<[u8]>,
) -> impl Future<Output = io::Result<()>> {
    inline(move || std::fs::write(path, contents))
}
