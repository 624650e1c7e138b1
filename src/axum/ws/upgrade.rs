//! The handshake: a request that asks for a web socket, and the answer.

use std::fmt;

use ::axum::Error;
use ::axum::body::Body;
use ::axum::extract::FromRequestParts;
use ::axum::http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ::axum::http::request::Parts;
use ::axum::http::{HeaderMap, Method, StatusCode, Version};
use ::axum::response::{IntoResponse, Response};
use ::hyper::ext::Protocol;
use ::hyper::upgrade::OnUpgrade;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::WebSocket;

/// For what a socket has read and nobody has taken; each has one. Larger messages
/// make it grow.
const READ_BUFFER: usize = 16 * 1024;

/// A request for a web socket: the extractor. Answer it with
/// [`on_upgrade`](Self::on_upgrade).
///
/// A page of any origin can ask for a socket, with the user's cookies. Check the
/// header `Origin` where that matters.
///
/// # Errors
/// As an extractor: see [`WebSocketUpgradeRejection`].
///
/// See the [module](super) for an example.
#[must_use = "answer with `on_upgrade`"]
pub struct WebSocketUpgrade {
    config: WebSocketConfig,
    /// Of HTTP/1.1 alone.
    key: Option<HeaderValue>,
    /// What the client offers, in its order of preference.
    offered: Vec<HeaderValue>,
    protocol: Option<HeaderValue>,
    on_upgrade: OnUpgrade,
    on_failed: Option<Box<dyn FnOnce(Error) + Send>>,
}

impl WebSocketUpgrade {
    /// Messages of more bytes are errors; 64 MiB at first.
    pub fn max_message_size(mut self, bytes: usize) -> WebSocketUpgrade {
        self.config.max_message_size = Some(bytes);
        self
    }

    /// Frames of more bytes are errors; 16 MiB at first. A message may be of several.
    pub fn max_frame_size(mut self, bytes: usize) -> WebSocketUpgrade {
        self.config.max_frame_size = Some(bytes);
        self
    }

    /// The subprotocols that the server speaks, the best one first. The first that the
    /// client offers too is chosen; without one there is none.
    pub fn protocols<P>(mut self, known: impl IntoIterator<Item = P>) -> WebSocketUpgrade
    where
        P: AsRef<str>,
    {
        self.protocol = known.into_iter().find_map(|known| {
            let mut offered = self.offered.iter();
            offered.find(|offer| *offer == known.as_ref()).cloned()
        });
        self
    }

    /// What the client offers.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.offered.iter()
    }

    /// What has been chosen so far.
    pub fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.protocol.as_ref()
    }

    /// Calls `told` if the connection breaks before the socket is open.
    pub fn on_failed_upgrade(
        mut self,
        told: impl FnOnce(Error) + Send + 'static,
    ) -> WebSocketUpgrade {
        self.on_failed = Some(Box::new(told));
        self
    }

    /// The answer, which has to be returned: it opens the socket. `serve` gets the
    /// socket then, in a task of its own by the name of `web socket`.
    #[must_use = "the socket opens when this is returned"]
    #[track_caller]
    pub fn on_upgrade<F, T>(self, serve: F) -> Response
    where
        F: FnOnce(WebSocket) -> T + Send + 'static,
        T: Future<Output = ()> + Send,
    {
        let protocol = self.protocol.clone();
        let opening = async move {
            match self.on_upgrade.await {
                Ok(upgraded) => {
                    serve(WebSocket::new(upgraded, self.config, self.protocol).await).await;
                }
                Err(error) => {
                    if let Some(told) = self.on_failed {
                        told(Error::new(error));
                    }
                }
            }
        };
        let builder = crate::task::Builder::new();
        drop(builder.name("web socket").spawn(opening));

        let mut response = Response::new(Body::empty());
        if let Some(key) = self.key {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let accept = derive_accept_key(key.as_bytes());
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(
                SEC_WEBSOCKET_ACCEPT,
                accept.try_into().expect("base64 is a header's value"),
            );
        }
        if let Some(protocol) = protocol {
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("config", &self.config)
            .field("offered", &self.offered)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<WebSocketUpgrade, WebSocketUpgradeRejection> {
        use WebSocketUpgradeRejection as Why;
        let headers = &parts.headers;
        let over_http2 = match parts.extensions.get::<Protocol>() {
            Some(protocol) if protocol.as_str() == "websocket" => true,
            Some(_) => return Err(Why::NoUpgrade),
            None => {
                expect_upgrade(&parts.method, parts.version, headers)?;
                false
            }
        };
        if headers
            .get(SEC_WEBSOCKET_VERSION)
            .map(HeaderValue::as_bytes)
            != Some(b"13")
        {
            return Err(Why::OtherVersion);
        }
        let key = match headers.get(SEC_WEBSOCKET_KEY) {
            _ if over_http2 => None,
            None => return Err(Why::NoKey),
            key => key.cloned(),
        };
        let offered = list(headers, SEC_WEBSOCKET_PROTOCOL)
            .filter_map(|word| HeaderValue::from_bytes(word).ok())
            .collect();
        let on_upgrade = parts.extensions.remove().ok_or(Why::NotUpgradable)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        Ok(WebSocketUpgrade {
            config,
            key,
            offered,
            protocol: None,
            on_upgrade,
            on_failed: None,
        })
    }
}

/// How a socket begins over HTTP/1.1.
fn expect_upgrade(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<(), WebSocketUpgradeRejection> {
    if *method != Method::GET || version != Version::HTTP_11 {
        return Err(WebSocketUpgradeRejection::NotGet);
    }
    let asks = list(headers, CONNECTION).any(|word| word.eq_ignore_ascii_case(b"upgrade"))
        && list(headers, UPGRADE).any(|word| word.eq_ignore_ascii_case(b"websocket"));
    asks.then_some(())
        .ok_or(WebSocketUpgradeRejection::NoUpgrade)
}

/// The words of a header that is a list, in however many lines.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// Why a request is none for a web socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WebSocketUpgradeRejection {
    /// It is no `GET` of HTTP/1.1, nor an extended `CONNECT` of HTTP/2: 405.
    NotGet,
    /// It does not ask for an upgrade to `websocket`: 426.
    NoUpgrade,
    /// It speaks another version than 13: 426, with the version.
    OtherVersion,
    /// It has no `Sec-WebSocket-Key`: 400.
    NoKey,
    /// The connection cannot be upgraded, or has been already: 500.
    NotUpgradable,
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGet => {
                "a web socket begins with a GET of HTTP/1.1, or with an extended CONNECT"
            }
            Self::NoUpgrade => "this is a web socket: ask for an upgrade",
            Self::OtherVersion => "web sockets of version 13 alone are spoken here",
            Self::NoKey => "the header Sec-WebSocket-Key is missing",
            Self::NotUpgradable => "this connection cannot be upgraded",
        })
    }
}

impl std::error::Error for WebSocketUpgradeRejection {}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        let websocket = [(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")];
        let text = self.to_string();
        match self {
            Self::NotGet => (StatusCode::METHOD_NOT_ALLOWED, text).into_response(),
            Self::NoUpgrade | Self::OtherVersion => {
                (StatusCode::UPGRADE_REQUIRED, websocket, text).into_response()
            }
            Self::NoKey => (StatusCode::BAD_REQUEST, text).into_response(),
            Self::NotUpgradable => (StatusCode::INTERNAL_SERVER_ERROR, text).into_response(),
        }
    }
}
