//! A resolver of DNS.

// snippet
use gmp::hickory::{Provider, Resolver};
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::NetError;
use std::net::IpAddr;

async fn addresses(config: ResolverConfig, name: &str) -> Result<Vec<IpAddr>, NetError> {
    let resolver = Resolver::builder_with_config(config, Provider::new()).build()?;
    Ok(resolver.lookup_ip(name).await?.iter().collect())
}
// end

#[test]
fn runs() {
    // Without a server: names of this machine alone.
    let config = ResolverConfig::from_parts(None, vec![], vec![]);
    let look_up = addresses(config, "localhost.");
    let found = gmp::block_on(look_up).expect("an answer");
    assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
}
