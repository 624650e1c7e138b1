//! A chat: what one says over its web socket, all get.

use std::pin::pin;

use axum::extract::State;
use axum::response::Response;
use futures::future::{FutureExt, select};
use futures::sink::SinkExt;
use futures::stream::StreamExt;
use gmp::axum::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use gmp::sync::broadcast::RecvError;

use crate::App;

pub(crate) async fn chat(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(4096)
        .on_upgrade(move |socket| talk(app, socket))
}

async fn talk(app: App, socket: WebSocket) {
    let (mut to_peer, mut from_peer) = socket.split();
    let mut heard = app.room.subscribe();
    let mut stopped = pin!(app.stopped().fuse());
    let says = async {
        while let Some(Ok(message)) = from_peer.next().await {
            if let Message::Text(text) = message {
                // There is one who listens: this one.
                let _ = app.room.send(text.to_string());
            }
        }
    };
    let hears = async {
        loop {
            let message = futures::select! {
                line = heard.recv().fuse() => match line {
                    Ok(line) => Message::text(line),
                    Err(RecvError::Lagged(n)) => Message::text(format!("({n} lines missed)")),
                    Err(RecvError::Closed) => break,
                },
                () = stopped => Message::Close(Some(CloseFrame {
                    code: close_code::AWAY,
                    reason: "the service ends".into(),
                })),
            };
            let last = matches!(message, Message::Close(_));
            if to_peer.send(message).await.is_err() || last {
                break;
            }
        }
    };
    select(pin!(says), pin!(hears)).await;
}
