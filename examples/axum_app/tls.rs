//! A certificate that signs itself. A real service reads one.

use std::error::Error;

use gmp::hyper::tls::rustls::ServerConfig;

pub(crate) fn config() -> Result<ServerConfig, Box<dyn Error>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = made.signing_key.serialize_der().try_into()?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(config)
}
