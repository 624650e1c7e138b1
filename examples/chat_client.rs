//! A web socket's other end: says each line of its input and prints what it hears,
//! until all of it has come back.
//!
//! With `axum_app` running:
//! `cargo run --release --example chat_client -- ws://127.0.0.1:8080/chat`

use async_tungstenite::client_async;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::http::Uri;
use futures::future::FutureExt;
use futures::io::{AsyncBufReadExt, BufReader};
use futures::stream::StreamExt;
use gmp::net::TcpStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[gmp::main]
async fn main() -> Result<(), Failure> {
    let uri = std::env::args().nth(1);
    let uri: Uri = uri
        .as_deref()
        .unwrap_or("ws://127.0.0.1:8080/chat")
        .parse()?;
    let host = uri.host().ok_or("a URI without a host")?;
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    let (socket, _) = client_async(uri, stream).await?;
    let (mut to_peer, mut from_peer) = socket.split();

    let says = gmp::spawn(async move {
        let mut lines = BufReader::new(gmp::io::stdin()).lines();
        let mut said = 0_usize;
        while let Some(line) = lines.next().await {
            to_peer.send(Message::text(line?)).await?;
            said += 1;
        }
        Ok::<_, Failure>((to_peer, said))
    });
    let mut says = says.fuse();
    let mut heard = 0_usize;
    let mut all = None;
    loop {
        gmp::select! {
            message = from_peer.next() => match message {
                Some(message) => if let Message::Text(line) = message? {
                    println!("{line}");
                    heard += 1;
                },
                None => return Err("the chat is over".into()),
            },
            done = says => all = Some(done??),
        }
        if let Some((to_peer, said)) = &mut all
            && heard >= *said
        {
            to_peer.close(None).await?;
            return Ok(());
        }
    }
}
