//! Open files.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::io::{AsyncRead, AsyncSeek, AsyncWrite};
use gmp_executor::leaf;

use super::{FileTimes, Metadata, Permissions, inline};
use crate::task::block_in_place;

/// An open file: [`std::fs::File`] whose calls are blocking sections.
///
/// Reads, writes and seeks go through the traits of `futures::io`, for `File` and
/// for `&File`, without a buffer in between: a write that is ready has reached the
/// system. Nothing need be flushed; [`sync_all`](Self::sync_all) waits for the disk.
///
/// ```
/// use futures::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
/// use gmp::fs::File;
///
/// # fn main() -> std::io::Result<()> {
/// # gmp::block_on(async {
/// # let path = std::env::temp_dir().join(format!("gmp-fs-file-{}", std::process::id()));
/// let mut file = File::options().read(true).write(true).create(true).open(&path).await?;
/// file.write_all(b"hello world").await?;
/// file.seek(SeekFrom::Start(6)).await?;
/// let mut rest = String::new();
/// file.read_to_string(&mut rest).await?;
/// assert_eq!(rest, "world");
/// # gmp::fs::remove_file(&path).await
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct File(std::fs::File);

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// Those of [`std::fs::File::open`].
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> impl Future<Output = io::Result<File>> {
        inline(move || std::fs::File::open(path).map(File))
    }

    /// Opens a file for writing: empties it, or makes it.
    ///
    /// # Errors
    /// Those of [`std::fs::File::create`].
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> impl Future<Output = io::Result<File>> {
        inline(move || std::fs::File::create(path).map(File))
    }

    /// Makes a file that is not there, for reading and writing.
    ///
    /// # Errors
    /// Those of [`std::fs::File::create_new`]; `AlreadyExists`.
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> impl Future<Output = io::Result<File>> {
        inline(move || std::fs::File::create_new(path).map(File))
    }

    /// Another way to open one: see [`OpenOptions`].
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Makes one of a file of `std`.
    pub fn from_std(file: std::fs::File) -> File {
        File(file)
    }

    /// The file of `std`. It is there at once; `async` as Tokio's, which has calls to
    /// wait for.
    pub async fn into_std(self) -> std::fs::File {
        self.0
    }

    /// As [`into_std`](Self::into_std), where nothing can be awaited.
    ///
    /// # Errors
    /// None: no call of this type is ever under way behind its user's back. Tokio gives
    /// the file back if one is.
    pub fn try_into_std(self) -> Result<std::fs::File, File> {
        Ok(self.0)
    }

    #[cfg(feature = "tokio-io")]
    pub(super) fn std(&self) -> &std::fs::File {
        &self.0
    }

    /// One more handle of the same open file; they share the position.
    ///
    /// # Errors
    /// Those of [`std::fs::File::try_clone`].
    #[track_caller]
    pub fn try_clone(&self) -> impl Future<Output = io::Result<File>> {
        inline(move || self.0.try_clone().map(File))
    }

    /// What the system knows of it.
    ///
    /// # Errors
    /// Those of [`std::fs::File::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> impl Future<Output = io::Result<Metadata>> {
        inline(move || self.0.metadata())
    }

    /// Cuts it to `size` bytes, or fills it up with zeros.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_len`].
    #[track_caller]
    pub fn set_len(&self, size: u64) -> impl Future<Output = io::Result<()>> {
        inline(move || self.0.set_len(size))
    }

    /// Changes its permissions.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_permissions`].
    #[track_caller]
    pub fn set_permissions(&self, to: Permissions) -> impl Future<Output = io::Result<()>> {
        inline(move || self.0.set_permissions(to))
    }

    /// Changes its times.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_times`].
    #[track_caller]
    pub fn set_times(&self, times: FileTimes) -> impl Future<Output = io::Result<()>> {
        inline(move || self.0.set_times(times))
    }

    /// Waits until contents and metadata are on the disk.
    ///
    /// # Errors
    /// Those of [`std::fs::File::sync_all`].
    #[track_caller]
    pub fn sync_all(&self) -> impl Future<Output = io::Result<()>> {
        inline(move || self.0.sync_all())
    }

    /// Waits until the contents are on the disk.
    ///
    /// # Errors
    /// Those of [`std::fs::File::sync_data`].
    #[track_caller]
    pub fn sync_data(&self) -> impl Future<Output = io::Result<()>> {
        inline(move || self.0.sync_data())
    }
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> File {
        File(file)
    }
}

impl From<File> for OwnedFd {
    fn from(file: File) -> OwnedFd {
        file.0.into()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// The check of a leaf, then the call as a whole.
#[track_caller]
pub(super) fn poll_inline<R>(
    cx: &mut Context<'_>,
    call: impl FnOnce() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    ready!(leaf::poll_check(cx));
    Poll::Ready(block_in_place(call))
}

/// `std` repeats a call that a signal interrupted in some places only; here the
/// caller never sees one.
fn again<R>(mut call: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

macro_rules! io_traits {
    ($($kind:ty),*) => {
        $(
            impl AsyncRead for $kind {
                #[track_caller]
                fn poll_read(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &mut [u8],
                ) -> Poll<io::Result<usize>> {
                    poll_inline(cx, || again(|| (&self.0).read(buf)))
                }

                #[track_caller]
                fn poll_read_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &mut [IoSliceMut<'_>],
                ) -> Poll<io::Result<usize>> {
                    poll_inline(cx, || again(|| (&self.0).read_vectored(bufs)))
                }
            }

            impl AsyncWrite for $kind {
                #[track_caller]
                fn poll_write(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    buf: &[u8],
                ) -> Poll<io::Result<usize>> {
                    poll_inline(cx, || again(|| (&self.0).write(buf)))
                }

                #[track_caller]
                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[IoSlice<'_>],
                ) -> Poll<io::Result<usize>> {
                    poll_inline(cx, || again(|| (&self.0).write_vectored(bufs)))
                }

                /// Nothing is kept here.
                fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                    Poll::Ready(Ok(()))
                }

                /// The file is closed when it is dropped.
                fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                    Poll::Ready(Ok(()))
                }
            }

            impl AsyncSeek for $kind {
                #[track_caller]
                fn poll_seek(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    to: SeekFrom,
                ) -> Poll<io::Result<u64>> {
                    poll_inline(cx, || (&self.0).seek(to))
                }
            }
        )*
    };
}

io_traits!(File, &File);

/// How a file is opened: [`std::fs::OpenOptions`], whose `open` is a future.
///
/// ```
/// # gmp::block_on(async {
/// # let path = std::env::temp_dir().join(format!("gmp-fs-open-{}", std::process::id()));
/// use gmp::fs::OpenOptions;
///
/// let log = OpenOptions::new().append(true).create(true).open(&path).await.expect("opened");
/// # drop(log);
/// # gmp::fs::remove_file(&path).await.expect("removed");
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions(std::fs::OpenOptions);

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&mut self, on: bool) -> &mut OpenOptions {
                self.0.$name(on);
                self
            }
        )*
    };
}

impl OpenOptions {
    /// All of them off.
    pub fn new() -> OpenOptions {
        OpenOptions(std::fs::OpenOptions::new())
    }

    options! {
        /// For reading.
        read;
        /// For writing.
        write;
        /// For writing at the end, wherever that is at the time.
        append;
        /// Empties the file.
        truncate;
        /// Makes the file if there is none.
        create;
        /// Makes the file, and fails if there is one.
        create_new;
    }

    /// The permission bits of a new file, less those that the process masks.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        std::os::unix::fs::OpenOptionsExt::mode(&mut self.0, mode);
        self
    }

    /// More flags of open(2), such as `O_DIRECT`.
    #[cfg(unix)]
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut self.0, flags);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// Those of [`std::fs::OpenOptions::open`].
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> impl Future<Output = io::Result<File>> {
        inline(move || self.0.open(path).map(File))
    }
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> OpenOptions {
        OpenOptions(options)
    }
}
