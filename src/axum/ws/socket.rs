//! An open web socket.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::axum::Error;
use ::axum::http::HeaderValue;
use ::hyper::upgrade::Upgraded;
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use futures::sink::{Sink, SinkExt};
use futures::stream::{FusedStream, Stream, StreamExt};

use super::Message;
use crate::hyper::Io;

/// An open web socket: a `Stream` and a `Sink` of [`Message`]s.
///
/// `futures::StreamExt::split` gives halves to two tasks. Pings are answered while
/// somebody reads.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<Io<Upgraded>>,
    protocol: Option<HeaderValue>,
}

impl WebSocket {
    pub(super) async fn new(
        upgraded: Upgraded,
        config: WebSocketConfig,
        protocol: Option<HeaderValue>,
    ) -> WebSocket {
        let io = Io::new(upgraded);
        WebSocket {
            stream: WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await,
            protocol,
        }
    }

    /// The next message; `None` after the last one. The peer's `Close` is a message,
    /// and has been answered when the end comes.
    ///
    /// # Errors
    /// Of the connection, of the protocol, and for messages larger than allowed.
    /// Nothing comes after an error.
    ///
    /// # Cancel safety
    /// Yes: nothing is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        self.next().await
    }

    /// Sends `message`, and waits until the system has taken all of it: as long as
    /// the peer does not read, if it must.
    ///
    /// # Errors
    /// If the connection is broken or closed.
    ///
    /// # Cancel safety
    /// No: the message may be sent or not. The socket can be used on.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        SinkExt::send(self, message).await
    }

    /// Sends a `Close` without a reason. To see the peer's, receive on until the end;
    /// to give a reason, send a [`Message::Close`].
    ///
    /// # Errors
    /// If the connection is broken.
    pub async fn close(&mut self) -> Result<(), Error> {
        SinkExt::close(self).await
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&HeaderValue> {
        self.protocol.as_ref()
    }

    fn sink(self: Pin<&mut Self>) -> Pin<&mut impl Sink<tungstenite::Message, Error = WsError>> {
        Pin::new(&mut self.get_mut().stream)
    }
}

type WsError = tungstenite::Error;

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let message = match ready!(self.stream.poll_next_unpin(cx)) {
                Some(Ok(message)) => Ok(message),
                Some(Err(error)) => Err(Error::new(error)),
                None => return Poll::Ready(None),
            };
            if let Some(message) = message.map(Message::from_wire).transpose() {
                return Poll::Ready(Some(message));
            }
        }
    }
}

impl FusedStream for WebSocket {
    /// Whether the last message has been received.
    fn is_terminated(&self) -> bool {
        self.stream.is_terminated()
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sink().poll_ready(cx).map_err(Error::new)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.sink()
            .start_send(message.into_wire())
            .map_err(Error::new)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sink().poll_flush(cx).map_err(Error::new)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.sink().poll_close(cx).map_err(Error::new)
    }
}
