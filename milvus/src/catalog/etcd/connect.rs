//! Lazy connections to the members of an etcd cluster.

use std::path::Path;
use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::super::error::CatalogError;
use crate::source::{EtcdConfig, TlsConfig};

/// Finds a member that vanished without closing its side: a watch would wait for it for ever.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

pub(super) fn members(config: &EtcdConfig, connect_timeout: Duration) -> Result<Vec<Channel>, CatalogError> {
    if config.endpoints.is_empty() {
        return Err(CatalogError::Config("endpoints is empty, expected one or more host:port".to_owned()));
    }
    let mut members = Vec::with_capacity(config.endpoints.len());
    for address in &config.endpoints {
        let address = address.trim();
        let secure = config.tls.enabled || address.starts_with("https://");
        let host = address.split_once("://").map_or(address, |(_, host)| host);
        let uri = format!("{}://{host}", if secure { "https" } else { "http" });
        let unusable =
            |error| CatalogError::Config(format!("endpoint `{address}`: {error}, expected host:port"));
        let mut endpoint = Endpoint::from_shared(uri)
            .map_err(unusable)?
            .connect_timeout(connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        if secure {
            endpoint = endpoint.tls_config(tls(&config.tls)?).map_err(unusable)?;
        }
        members.push(endpoint.connect_lazy());
    }
    Ok(members)
}

fn tls(config: &TlsConfig) -> Result<ClientTlsConfig, CatalogError> {
    let mut tls = ClientTlsConfig::new();
    tls = match &config.ca_pem_path {
        Some(path) => tls.ca_certificate(Certificate::from_pem(read(path)?)),
        None => tls.with_enabled_roots(),
    };
    match (&config.client_pem_path, &config.client_key_path) {
        (Some(certificate), Some(key)) => {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?))
        }
        (None, None) => {}
        _ => {
            let message = "tls.client_pem_path and tls.client_key_path are only useful together, set both";
            return Err(CatalogError::Config(message.to_owned()));
        }
    }
    if let Some(name) = &config.server_name {
        tls = tls.domain_name(name);
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Vec<u8>, CatalogError> {
    std::fs::read(path).map_err(|error| CatalogError::Config(format!("reading {}: {error}", path.display())))
}
