//! Addresses of brokers, as the configuration and the brokers themselves write them.

use std::fmt;

use super::super::LogError;

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Address {
    /// Name or number, without brackets.
    pub host: String,
    pub port: u16,
    /// The URL says that the connection is encrypted (`pulsar+ssl://`).
    pub tls: bool,
}

impl Address {
    /// `host`, `host:port`, `[::1]:port`, each with or without a scheme. `None` if it is none of these.
    pub fn parse(text: &str, default_port: u16) -> Option<Self> {
        let text = text.trim().trim_end_matches('/');
        let (tls, rest) = match text.split_once("://") {
            Some(("pulsar+ssl" | "kafka+ssl" | "ssl", rest)) => (true, rest),
            Some(("pulsar" | "kafka" | "tcp", rest)) => (false, rest),
            Some(_) => return None,
            None => (false, text),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (host, after.strip_prefix(':'))
            }
            None => rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.contains(['/', '@']) || (host.contains(':') && !rest.starts_with('[')) {
            return None;
        }
        let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
        Some(Self { host: host.to_owned(), port, tls })
    }

    /// Several, separated by commas; a scheme before the first holds for all.
    ///
    /// # Errors
    /// Names what is no address.
    pub fn parse_list(text: &str, default_port: u16) -> Result<Vec<Self>, LogError> {
        let scheme_tls = Self::parse(text.split(',').next().unwrap_or_default(), default_port);
        let tls = scheme_tls.is_some_and(|first| first.tls);
        text.split(',')
            .map(|part| match Self::parse(part, default_port) {
                Some(address) => Ok(Self { tls: address.tls || tls, ..address }),
                // Not shown: a login may have been written into it.
                None => Err(LogError::Unsupported(
                    "source.log.address is not host:port, or several of these with commas between".to_owned(),
                )),
            })
            .collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_write_one_is_read() {
        for (text, host, port, tls) in [
            ("broker", "broker", 6650, false),
            ("broker:7000", "broker", 7000, false),
            ("pulsar://10.0.0.1:6650/", "10.0.0.1", 6650, false),
            ("pulsar+ssl://broker:6651", "broker", 6651, true),
            ("[::1]:9092", "::1", 9092, false),
            ("[::1]", "::1", 6650, false),
        ] {
            let address = Address::parse(text, 6650).unwrap();
            assert_eq!((address.host.as_str(), address.port, address.tls), (host, port, tls), "{text}");
        }
        for text in
            ["", ":9092", "http://broker:80", "broker:port", "a:b:c", "user:secret@broker:1", "pulsar://"]
        {
            assert_eq!(Address::parse(text, 6650), None, "{text}");
        }
    }

    #[test]
    fn a_list_shares_the_scheme_of_its_first() {
        let list = Address::parse_list("pulsar+ssl://a:1, b:2,c", 3).unwrap();
        assert_eq!(list.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "b:2", "c:3"]);
        assert!(list.iter().all(|address| address.tls));
        let error = Address::parse_list("root:hunter2@a:1", 3).unwrap_err().to_string();
        assert!(error.contains("source.log.address") && !error.contains("hunter2"), "{error}");
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(host in "[a-z0-9.-]{1,20}|[0-9a-f]{1,4}::[0-9a-f]{1,4}", port: u16) {
            let address = Address { host, port, tls: false };
            prop_assert_eq!(Address::parse(&address.to_string(), 1), Some(address));
        }
    }
}
