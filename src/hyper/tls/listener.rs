//! The server's side: who listens.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::hyper::http::Extensions;
use futures_rustls::TlsAcceptor;
use futures_rustls::rustls::ServerConfig;

use super::handshake::{Handshakes, Report, TlsStream};
use super::{PATIENCE, protocols};
use crate::hyper::Listener;

/// A listener whose connections speak TLS, for [`hyper::serve`](crate::hyper::serve())
/// and `axum::serve`.
///
/// A connection shakes hands in its own task, at its first read, so a peer that is
/// slow at it holds nobody else up. A handshake that fails ends its connection, is
/// counted ([`handshakes`](Self::handshakes)) and told
/// ([`on_error`](Self::on_error)).
///
/// Every request carries what its peer has shown: see [`Peer`](super::Peer).
///
/// See the [module](super) for an example.
pub struct TlsListener<L: Listener> {
    listener: L,
    acceptor: TlsAcceptor,
    patience: Duration,
    handshakes: Handshakes,
    on_error: Option<Arc<OnError<L::Addr>>>,
}

type OnError<A> = dyn Fn(&A, &io::Error) + Send + Sync;

impl<L: Listener> TlsListener<L> {
    /// Speaks TLS on the connections of `listener`. If `config` names no protocols
    /// (ALPN), they are HTTP/2 and HTTP/1.1.
    pub fn new(listener: L, config: impl Into<Arc<ServerConfig>>) -> TlsListener<L> {
        let mut config = config.into();
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = protocols();
        }
        TlsListener {
            listener,
            acceptor: TlsAcceptor::from(config),
            patience: PATIENCE,
            handshakes: Handshakes::default(),
            on_error: None,
        }
    }

    /// Gives each handshake so long from the accept on, 10 seconds at first. The
    /// server's `header_read_timeout` runs at the same time.
    #[must_use]
    pub fn handshake_timeout(mut self, patience: Duration) -> TlsListener<L> {
        self.patience = patience;
        self
    }

    /// Calls `tell` with the peer's address and the error of each handshake that
    /// fails: `TimedOut`; `InvalidData` with a [`rustls::Error`](super::rustls::Error)
    /// inside, if the peer spoke no TLS or refused the certificate; errors of the
    /// socket; `ConnectionAborted` if the server ended first. It runs in the
    /// connection's task.
    #[must_use]
    pub fn on_error(
        mut self,
        tell: impl Fn(&L::Addr, &io::Error) + Send + Sync + 'static,
    ) -> TlsListener<L> {
        self.on_error = Some(Arc::new(tell));
        self
    }

    /// The counts of this listener, to read while a server has it.
    pub fn handshakes(&self) -> Handshakes {
        self.handshakes.clone()
    }
}

impl<L> Listener for TlsListener<L>
where
    L: Listener,
    L::Addr: Clone + Sync,
{
    type Io = TlsStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> io::Result<(TlsStream<L::Io>, L::Addr)> {
        let (io, addr) = self.listener.accept().await?;
        let tell = self.on_error.clone().map(|on_error| {
            let addr = addr.clone();
            Box::new(move |error: &io::Error| on_error(&addr, error)) as Box<_>
        });
        let report = Report::new(self.handshakes.clone(), tell);
        let mut extensions = Extensions::new();
        L::annotate(&io, &mut extensions);
        let stream = TlsStream::new(&self.acceptor, io, self.patience, report, extensions);
        Ok((stream, addr))
    }

    fn annotate(io: &TlsStream<L::Io>, extensions: &mut Extensions) {
        extensions.extend(io.extensions().clone());
    }
}

impl<L: Listener + fmt::Debug> fmt::Debug for TlsListener<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener")
            .field("listener", &self.listener)
            .field("handshake_timeout", &self.patience)
            .field("handshakes", &self.handshakes)
            .finish_non_exhaustive()
    }
}
