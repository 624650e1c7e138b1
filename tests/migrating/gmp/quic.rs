//! QUIC.

// snippet
use quinn::{Endpoint, ServerConfig};
use std::net::SocketAddr;

/// Sends everybody away with a word.
fn serve(config: ServerConfig, addr: SocketAddr) -> std::io::Result<Endpoint> {
    let endpoint = gmp::quinn::server(config, addr)?;
    let server = endpoint.clone();
    gmp::spawn(async move {
        while let Some(caller) = server.accept().await {
            if let Ok(connection) = caller.await {
                connection.close(0_u8.into(), b"come back later");
            }
        }
    });
    Ok(endpoint)
}
// end

#[test]
fn runs() {
    let (served, trusting) = crate::quic::configs_for("gmp.test");
    let local = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let talk = async move {
        let server = serve(served, local).expect("an endpoint");
        let mut client = gmp::quinn::client(local).expect("an endpoint");
        client.set_default_client_config(trusting);
        let addr = server.local_addr().expect("an address");
        let connecting = client.connect(addr, "gmp.test").expect("a name");
        let told = match connecting.await {
            Ok(connection) => connection.closed().await,
            Err(sooner) => sooner,
        };
        assert!(told.to_string().contains("come back later"), "{told}");
        server.close(0_u8.into(), b"");
    };
    gmp::block_on(talk);
}
