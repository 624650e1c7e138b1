//! Directories: what is in them, and how they are made.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;
use gmp_executor::leaf;

use super::{FileType, Metadata, inline};
use crate::task::block_in_place;

/// The entries of a directory, without `.` and `..`, in no order.
///
/// # Errors
/// Those of [`std::fs::read_dir`].
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> impl Future<Output = io::Result<ReadDir>> {
    inline(move || std::fs::read_dir(path).map(ReadDir))
}

/// The entries of a directory: a [`Stream`], and [`next_entry`](Self::next_entry).
#[derive(Debug)]
#[must_use = "entries are read one by one"]
pub struct ReadDir(std::fs::ReadDir);

impl ReadDir {
    /// The next entry; None after the last.
    ///
    /// # Errors
    /// Those of the directory's iterator in `std`; the next call may go on.
    #[track_caller]
    pub fn next_entry(&mut self) -> impl Future<Output = io::Result<Option<DirEntry>>> {
        inline(move || {
            let next = self.0.next().transpose();
            next.map(|entry| entry.map(DirEntry))
        })
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    #[track_caller]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(leaf::poll_check(cx));
        let next = block_in_place(|| self.0.next());
        Poll::Ready(next.map(|entry| entry.map(DirEntry)))
    }
}

/// One entry of a directory.
#[derive(Debug)]
pub struct DirEntry(std::fs::DirEntry);

impl DirEntry {
    /// The name, without the directory.
    pub fn file_name(&self) -> OsString {
        self.0.file_name()
    }

    /// The path: the directory's as it was given, and the name.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// The number of the file within its file system.
    #[cfg(unix)]
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&self.0)
    }

    /// What kind of thing it is; a link is not followed.
    ///
    /// # Errors
    /// Those of [`std::fs::DirEntry::file_type`].
    #[track_caller]
    pub fn file_type(&self) -> impl Future<Output = io::Result<FileType>> {
        inline(move || self.0.file_type())
    }

    /// What the system knows of it; a link is not followed.
    ///
    /// # Errors
    /// Those of [`std::fs::DirEntry::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> impl Future<Output = io::Result<Metadata>> {
        inline(move || self.0.metadata())
    }
}

/// How directories are made.
///
/// ```
/// # gmp::block_on(async {
/// # let dir = std::env::temp_dir().join(format!("gmp-fs-builder-{}", std::process::id()));
/// gmp::fs::DirBuilder::new().recursive(true).create(dir.join("a/b")).await.expect("made");
/// # gmp::fs::remove_dir_all(&dir).await.expect("removed");
/// # });
/// ```
#[derive(Debug)]
pub struct DirBuilder(std::fs::DirBuilder);

impl DirBuilder {
    /// One directory, with the permissions that the process gives.
    pub fn new() -> DirBuilder {
        DirBuilder(std::fs::DirBuilder::new())
    }

    /// Whether missing directories above are made, and one that is there will do.
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.0.recursive(recursive);
        self
    }

    /// The permission bits, less those that the process masks.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        std::os::unix::fs::DirBuilderExt::mode(&mut self.0, mode);
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    /// Those of [`std::fs::DirBuilder::create`].
    #[track_caller]
    pub fn create(&self, path: impl AsRef<Path>) -> impl Future<Output = io::Result<()>> {
        inline(move || self.0.create(path))
    }
}

impl Default for DirBuilder {
    fn default() -> DirBuilder {
        DirBuilder::new()
    }
}
