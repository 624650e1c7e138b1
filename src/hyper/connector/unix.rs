//! Connections to one Unix socket, whatever the URI says.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use ::hyper::Uri;
use tower_service::Service;

use super::Connecting;
use crate::net::UnixStream;

/// Connects to the Unix socket at a path. Of a request's URI, the host goes into
/// the request and nowhere else.
///
/// ```
/// use gmp::hyper::{Executor, UnixConnector};
/// use http_body_util::Empty;
/// use hyper::body::Bytes;
/// use hyper_util::client::legacy::Client;
///
/// # gmp::block_on(async {
/// let connector = UnixConnector::new("/run/some-daemon.sock");
/// let client: Client<_, Empty<Bytes>> = Client::builder(Executor).build(connector);
/// let error = client.get("http://daemon/version".parse().unwrap()).await.unwrap_err();
/// assert!(error.is_connect());
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct UnixConnector {
    path: Arc<PathBuf>,
}

impl UnixConnector {
    /// A connector to the socket at `path`.
    pub fn new(path: impl AsRef<Path>) -> UnixConnector {
        UnixConnector {
            path: Arc::new(path.as_ref().to_owned()),
        }
    }
}

impl Service<Uri> for UnixConnector {
    type Response = UnixStream;
    type Error = io::Error;
    type Future = Connecting<UnixStream>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// # Errors
    /// As [`UnixStream::connect`].
    fn call(&mut self, _: Uri) -> Connecting<UnixStream> {
        let path = self.path.clone();
        Connecting::new(async move { UnixStream::connect(path.as_path()).await })
    }
}
