//! What goes over a socket. tungstenite's messages have one kind more, raw frames,
//! which nobody sees here.

use std::string::FromUtf8Error;

use ::axum::body::Bytes;
use async_tungstenite::tungstenite::{self, Utf8Bytes, protocol};

/// One message. A peer's pings are answered by the socket itself, whenever it is
/// read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// Asks for a pong with the same bytes, at most 125.
    Ping(Bytes),
    /// The answer to a ping; also one that nobody asked for.
    Pong(Bytes),
    /// The last one of its direction, with a reason or without.
    Close(Option<CloseFrame>),
}

/// Why a socket is closed: a number, of [`close_code`] or the application's own.
pub type CloseCode = u16;

/// Why a socket is closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloseFrame {
    /// For the program at the other end.
    pub code: CloseCode,
    /// For the log at the other end, at most 123 bytes.
    pub reason: Utf8Bytes,
}

/// The numbers that RFC 6455 gives a meaning, and those that were registered later.
pub mod close_code {
    use super::CloseCode;

    /// All has been said.
    pub const NORMAL: CloseCode = 1000;
    /// The server stops, or the user went to another page.
    pub const AWAY: CloseCode = 1001;
    /// The peer broke the protocol.
    pub const PROTOCOL: CloseCode = 1002;
    /// A kind of message that is not accepted here.
    pub const UNSUPPORTED: CloseCode = 1003;
    /// A text that is not UTF-8, and the like.
    pub const INVALID: CloseCode = 1007;
    /// Anything that the rules of the application forbid.
    pub const POLICY: CloseCode = 1008;
    /// A message that is too large.
    pub const SIZE: CloseCode = 1009;
    /// The server cannot go on.
    pub const ERROR: CloseCode = 1011;
    /// The server starts anew; come back later.
    pub const RESTART: CloseCode = 1012;
    /// The server has too much to do; come back later.
    pub const AGAIN: CloseCode = 1013;
}

impl Message {
    /// A text.
    pub fn text(text: impl Into<Utf8Bytes>) -> Message {
        Message::Text(text.into())
    }

    /// Bytes.
    pub fn binary(bytes: impl Into<Bytes>) -> Message {
        Message::Binary(bytes.into())
    }

    /// The bytes of the message: its text, its data, or the reason of a close.
    pub fn into_data(self) -> Bytes {
        match self {
            Message::Text(text) => Bytes::from(text),
            Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes,
            Message::Close(None) => Bytes::new(),
            Message::Close(Some(frame)) => Bytes::from(frame.reason),
        }
    }

    /// The same as text.
    ///
    /// # Errors
    /// If the bytes are not UTF-8.
    pub fn into_text(self) -> Result<String, FromUtf8Error> {
        String::from_utf8(self.into_data().into())
    }

    /// `None` is a raw frame, which reads do not yield.
    pub(super) fn from_wire(message: tungstenite::Message) -> Option<Message> {
        Some(match message {
            tungstenite::Message::Text(text) => Message::Text(text),
            tungstenite::Message::Binary(bytes) => Message::Binary(bytes),
            tungstenite::Message::Ping(bytes) => Message::Ping(bytes),
            tungstenite::Message::Pong(bytes) => Message::Pong(bytes),
            tungstenite::Message::Close(frame) => Message::Close(frame.map(|frame| CloseFrame {
                code: frame.code.into(),
                reason: frame.reason,
            })),
            tungstenite::Message::Frame(_) => return None,
        })
    }

    pub(super) fn into_wire(self) -> tungstenite::Message {
        match self {
            Message::Text(text) => tungstenite::Message::Text(text),
            Message::Binary(bytes) => tungstenite::Message::Binary(bytes),
            Message::Ping(bytes) => tungstenite::Message::Ping(bytes),
            Message::Pong(bytes) => tungstenite::Message::Pong(bytes),
            Message::Close(frame) => {
                tungstenite::Message::Close(frame.map(|frame| protocol::CloseFrame {
                    code: frame.code.into(),
                    reason: frame.reason,
                }))
            }
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::binary(bytes)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Message {
        Message::Binary(bytes)
    }
}
