//! The traits of Tokio and of hyper, for a type that has those of `futures::io`: the
//! same methods, and the same places of waits.

/// Implements a trait for writing, Tokio's or hyper's, where `futures::io`'s writes
/// many buffers in one call.
macro_rules! forward_write {
    ($trait:path: $([$($generics:tt)*] $kind:ty;)*) => {
        $(
            impl<$($generics)*> $trait for $kind {
                #[inline]
                #[track_caller]
                fn poll_write(
                    self: std::pin::Pin<&mut Self>,
                    cx: &mut std::task::Context<'_>,
                    buf: &[u8],
                ) -> std::task::Poll<std::io::Result<usize>> {
                    futures::io::AsyncWrite::poll_write(self, cx, buf)
                }

                #[inline]
                #[track_caller]
                fn poll_flush(
                    self: std::pin::Pin<&mut Self>,
                    cx: &mut std::task::Context<'_>,
                ) -> std::task::Poll<std::io::Result<()>> {
                    futures::io::AsyncWrite::poll_flush(self, cx)
                }

                /// What `futures::io` calls closing.
                #[inline]
                #[track_caller]
                fn poll_shutdown(
                    self: std::pin::Pin<&mut Self>,
                    cx: &mut std::task::Context<'_>,
                ) -> std::task::Poll<std::io::Result<()>> {
                    futures::io::AsyncWrite::poll_close(self, cx)
                }

                fn is_write_vectored(&self) -> bool {
                    true
                }

                #[inline]
                #[track_caller]
                fn poll_write_vectored(
                    self: std::pin::Pin<&mut Self>,
                    cx: &mut std::task::Context<'_>,
                    bufs: &[std::io::IoSlice<'_>],
                ) -> std::task::Poll<std::io::Result<usize>> {
                    futures::io::AsyncWrite::poll_write_vectored(self, cx, bufs)
                }
            }
        )*
    };
}
pub(crate) use forward_write;

/// Implements Tokio's trait for reading. The buffer is zeroed first, for
/// `futures::io` may look at it.
#[cfg(feature = "tokio-io")]
macro_rules! forward_tokio_read {
    ($($kind:ty),*) => {
        $(
            impl tokio::io::AsyncRead for $kind {
                #[track_caller]
                fn poll_read(
                    self: std::pin::Pin<&mut Self>,
                    cx: &mut std::task::Context<'_>,
                    buf: &mut tokio::io::ReadBuf<'_>,
                ) -> std::task::Poll<std::io::Result<()>> {
                    let free = buf.initialize_unfilled();
                    let n = std::task::ready!(futures::io::AsyncRead::poll_read(self, cx, free))?;
                    buf.advance(n);
                    std::task::Poll::Ready(Ok(()))
                }
            }
        )*
    };
}
#[cfg(feature = "tokio-io")]
pub(crate) use forward_tokio_read;
