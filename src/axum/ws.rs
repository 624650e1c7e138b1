//! Web sockets for axum, in the manner of `axum::extract::ws`, which needs axum's
//! feature `tokio`. Feature `ws`.
//!
//! ```
//! use axum::{Router, response::Response, routing::get};
//! use gmp::axum::ws::{Message, WebSocket, WebSocketUpgrade};
//!
//! async fn echo(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.on_upgrade(async |mut socket: WebSocket| {
//!         while let Some(Ok(message)) = socket.recv().await {
//!             if matches!(message, Message::Text(_) | Message::Binary(_))
//!                 && socket.send(message).await.is_err()
//!             {
//!                 break;
//!             }
//!         }
//!     })
//! }
//! let app: Router = Router::new().route("/echo", get(echo));
//! ```
//!
//! Sockets begin with HTTP/1.1, over TLS too: browsers ask for it, whatever else
//! the server speaks, unless a server with
//! [`http2_web_sockets`](crate::hyper::Serve::http2_web_sockets) tells them that
//! HTTP/2 will do (RFC 8441). Handlers and routes are the same for both.
//!
//! A socket over HTTP/1.1 is not the server's any more, so a server's stop does not
//! end it; give its task a signal of yours if it has to. Over HTTP/2 it is one of the
//! streams of a connection, and the stop waits for it as for a request.

mod message;
mod socket;
mod upgrade;

pub use ::axum::Error;
pub use async_tungstenite::tungstenite::Utf8Bytes;

pub use self::message::{CloseCode, CloseFrame, Message, close_code};
pub use self::socket::WebSocket;
pub use self::upgrade::{WebSocketUpgrade, WebSocketUpgradeRejection};
