//! A resolver of DNS.

// snippet
use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::net::IpAddr;

async fn addresses(config: ResolverConfig, name: &str) -> Result<Vec<IpAddr>, NetError> {
    let resolver =
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build()?;
    Ok(resolver.lookup_ip(name).await?.iter().collect())
}
// end

#[test]
fn runs() {
    // Without a server: names of this machine alone.
    let config = ResolverConfig::from_parts(None, vec![], vec![]);
    let look_up = addresses(config, "localhost.");
    let found = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(look_up)
        .expect("an answer");
    assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
}
