//! The forms in which a Milvus address is written, and what they mean.
//!
//! Errors never quote the address: people put credentials into it.

use std::net::Ipv6Addr;

/// Milvus' own port, for an address that names none.
const PORT_DEFAULT: u16 = 19530;
/// Longer ones are no addresses.
const URI_LENGTH_MAX: usize = 2048;

/// Where a Milvus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MilvusAddress {
    /// Host name or address, an IPv6 one without brackets, in lower case.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The address itself asks for TLS.
    pub tls: bool,
}

impl MilvusAddress {
    /// `host:port`, with an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        let MilvusAddress { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The form in which two addresses of one server are compared. `127.0.0.1` and `localhost` are one machine.
    pub(crate) fn identity(&self) -> String {
        if self.host == "127.0.0.1" { format!("localhost:{}", self.port) } else { self.authority() }
    }
}

/// Why an address is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UriError {
    /// `user:password@host`.
    #[error("the milvus uri holds credentials: take them out and put them into 'token' as user:password")]
    Credentials,
    /// Another scheme.
    #[error(
        "the milvus uri has an unknown scheme: write http://host:port, https://host:port, tcp://host:port or host:port"
    )]
    Scheme,
    /// `http://host:port/database`.
    #[error("the milvus uri has a path, query or fragment: write only scheme, host and port")]
    Path,
    /// No host in it.
    #[error("the milvus uri has no host: write http://host:port")]
    NoHost,
    /// A host with characters that no host has.
    #[error("the milvus host is no host name and no address")]
    Host,
    /// The port is not a port.
    #[error("the port in the milvus uri is not a number from 1 to 65535")]
    Port,
    /// Too long.
    #[error("the milvus uri is longer than {URI_LENGTH_MAX} characters")]
    TooLong,
}

/// Reads `http://`, `https://`, `tcp://` or bare `host:port`. The port may be left out.
pub(crate) fn parse_uri(uri: &str) -> Result<MilvusAddress, UriError> {
    if uri.len() > URI_LENGTH_MAX {
        return Err(UriError::TooLong);
    }
    let uri = uri.trim();
    if uri.contains('@') {
        return Err(UriError::Credentials);
    }
    let (tls, rest) = match uri.split_once("://") {
        None => (false, uri),
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "http" | "tcp" => (false, rest),
            "https" => (true, rest),
            _ => return Err(UriError::Scheme),
        },
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err(UriError::Path);
    }
    let (host, port) = split_port(authority)?;
    let port = match port {
        None => PORT_DEFAULT,
        Some(digits) => parse_port(digits)?,
    };
    if host.is_empty() {
        return Err(UriError::NoHost);
    }
    Ok(MilvusAddress { host: parse_host(host)?, port, tls })
}

/// Splits off the port; an IPv6 address must be in brackets to have one.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UriError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(UriError::Host)?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(UriError::Host);
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(UriError::Host),
        };
    }
    match authority.split_once(':') {
        None => Ok((authority, None)),
        Some((_, port)) if port.contains(':') => Err(UriError::Host),
        Some((host, port)) => Ok((host, Some(port))),
    }
}

fn parse_port(digits: &str) -> Result<u16, UriError> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UriError::Port);
    }
    digits.parse().ok().filter(|&port| port > 0).ok_or(UriError::Port)
}

/// Checks a bare host: a name, an IPv4 or an IPv6 address (with or without brackets).
pub(crate) fn parse_host(host: &str) -> Result<String, UriError> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok(address.to_string());
    }
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || host.len() > 253 || !host.chars().all(allowed) {
        return Err(UriError::Host);
    }
    Ok(host.to_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{UriError, parse_host, parse_uri};

    #[test]
    fn forms() {
        let read = |uri: &str| {
            let address = parse_uri(uri).unwrap();
            (address.authority(), address.tls)
        };
        let plain = |authority: &str| (authority.to_owned(), false);
        let tls = |authority: &str| (authority.to_owned(), true);
        assert_eq!(read("http://localhost:19530"), plain("localhost:19530"));
        assert_eq!(read("tcp://10.0.0.7:19531/"), plain("10.0.0.7:19531"));
        assert_eq!(read("Milvus.Example.com:1"), plain("milvus.example.com:1"));
        assert_eq!(read("milvus"), plain("milvus:19530"));
        assert_eq!(read("HTTPS://milvus"), tls("milvus:19530"));
        assert_eq!(read("https://[::1]:19530"), tls("[::1]:19530"));
        assert_eq!(read("[::1]"), plain("[::1]:19530"));
    }

    #[test]
    fn refusals() {
        for (uri, error) in [
            ("http://root:Milvus@localhost:19530", UriError::Credentials),
            ("root:Milvus@localhost", UriError::Credentials),
            ("unix:///tmp/socket", UriError::Scheme),
            ("http://localhost:19530/db", UriError::Path),
            ("http://localhost:19530?token=x", UriError::Path),
            ("http://", UriError::NoHost),
            (":19530", UriError::NoHost),
            ("http://localhost:0", UriError::Port),
            ("http://localhost:65536", UriError::Port),
            ("http://localhost:+1", UriError::Port),
            ("http://localhost:", UriError::Port),
            ("http://a b:1", UriError::Host),
            ("::1:19530", UriError::Host),
            ("[::1", UriError::Host),
        ] {
            assert_eq!(parse_uri(uri).unwrap_err(), error, "{uri}");
        }
        assert_eq!(parse_uri(&"a".repeat(5000)).unwrap_err(), UriError::TooLong);
    }

    #[test]
    fn one_machine_one_identity() {
        let identity = |uri: &str| parse_uri(uri).unwrap().identity();
        assert_eq!(identity("http://127.0.0.1:19531"), identity("LOCALHOST:19531"));
        assert_ne!(identity("http://127.0.0.1:19531"), identity("localhost:19530"));
    }

    proptest! {
        #[test]
        fn never_panics(uri in "\\PC{0,40}") {
            let _ = parse_uri(&uri);
            let _ = parse_host(&uri);
        }

        #[test]
        fn what_it_reads_it_reads_again(host in "[a-z][a-z0-9.-]{0,20}", port in 1u16..) {
            let address = parse_uri(&format!("tcp://{host}:{port}")).unwrap();
            prop_assert_eq!(parse_uri(&address.authority()).unwrap(), address);
        }
    }
}
