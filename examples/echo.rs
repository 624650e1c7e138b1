//! A TCP echo server: one task for each connection.
//!
//! `cargo run --release --example echo -- --port 7`, then `nc 127.0.0.1 7`.

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::net::{TcpListener, TcpStream};

#[gmp::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port())).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(connection) => connection,
            // Out of descriptors, for one: the next try may fare better, and the
            // listener sees to it that a loop like this one does not spin.
            Err(error) => {
                eprintln!("accept: {error}");
                continue;
            }
        };
        gmp::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = vec![0; 16 * 1024];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n]).await?;
    }
}

/// The number after `--port`, else 7007.
fn port() -> u16 {
    let mut args = std::env::args().skip_while(|arg| arg != "--port").skip(1);
    match args.next().map(|port| port.parse()) {
        Some(Ok(port)) => port,
        Some(Err(error)) => panic!("--port: {error}"),
        None => 7007,
    }
}
