//! TLS around a certificate that is made on the spot.

use gmp::hyper::tls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The configuration of a server with a certificate of these names, and that of
/// clients which trust it.
pub(crate) fn configs_for(names: &[&str]) -> (ServerConfig, ClientConfig) {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let cert = made.cert.der().clone();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert).unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, client)
}
