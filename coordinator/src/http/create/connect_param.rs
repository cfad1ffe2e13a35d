//! `milvus_connect_param` and `kafka_connect_param` of `create`: where to, and how to log in there.

use std::fmt;

use crate::http::answer::ApiError;
use crate::http::fields::{FieldError, Fields};
use crate::registry::task::TargetAddress;

use super::uri::{MilvusAddress, parse_host, parse_uri};

/// Secrets as they came. `Debug` shows nothing of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// `user:password` or an API key.
    pub token: Option<String>,
    /// The older form.
    pub username: Option<String>,
    /// The older form.
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Login::default() { "Login(none)" } else { "Login(<redacted>)" })
    }
}

impl Login {
    /// `message` without any of the secrets, should a library have put one into its error.
    pub(crate) fn scrub(&self, message: &str) -> String {
        let whole = [&self.token, &self.password].into_iter().flatten();
        let of_token =
            self.token.iter().filter_map(|token| token.split_once(':')).map(|(_, password)| password);
        let mut scrubbed = message.to_owned();
        for secret in whole.map(String::as_str).chain(of_token).filter(|secret| secret.len() >= 4) {
            scrubbed = scrubbed.replace(secret, "***");
        }
        scrubbed
    }
}

/// The target of a `create`, as it came: types are right, values are not checked yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectParam {
    uri: String,
    host: String,
    port: Option<i64>,
    enable_tls: bool,
    connect_timeout: i64,
    channel_num: i64,
    ignore_partition: bool,
    server_name: String,
    server_pem_path: String,
    ca_pem_path: String,
    client_pem_path: String,
    client_key_path: String,
    login: Login,
    kafka_address: String,
}

impl ConnectParam {
    /// Reads both parameters from the request's data.
    pub(crate) fn read(data: &Fields<'_>) -> Result<Self, FieldError> {
        let milvus = data.object("milvus_connect_param")?;
        let dial = milvus.object("dial_config")?;
        let secret = |name| milvus.string(name).map(|text| Some(text).filter(|text| !text.is_empty()));
        Ok(ConnectParam {
            uri: milvus.string("uri")?,
            host: milvus.string("host")?,
            port: milvus.integer("port")?,
            enable_tls: milvus.boolean("enable_tls")?,
            connect_timeout: milvus.integer("connect_timeout")?.unwrap_or(0),
            channel_num: milvus.integer("channel_num")?.unwrap_or(0),
            ignore_partition: milvus.boolean("ignore_partition")?,
            server_name: dial.string("server_name")?,
            server_pem_path: dial.string("server_pem_path")?,
            ca_pem_path: dial.string("ca_pem_path")?,
            client_pem_path: dial.string("client_pem_path")?,
            client_key_path: dial.string("client_key_path")?,
            login: Login {
                token: secret("token")?,
                username: secret("username")?,
                password: secret("password")?,
            },
            kafka_address: read_kafka(&data.object("kafka_connect_param")?)?,
        })
    }

    /// Checks the values. Answers the address as the task keeps it, the login, and where it leads.
    pub(crate) fn check(self) -> Result<(TargetAddress, Login, MilvusAddress), ApiError> {
        let milvus_is_empty = self.uri.is_empty() && self.host.is_empty() && self.port.unwrap_or(0) <= 0;
        match (milvus_is_empty, self.kafka_address.is_empty()) {
            (true, true) => {
                return Err(ApiError::refused(
                    "the downstream address is empty: set 'uri', or 'host' and 'port', in 'milvus_connect_param'",
                ));
            }
            (false, false) => {
                return Err(ApiError::refused(
                    "don't support milvus and kafka at the same time: \
                     keep one of 'milvus_connect_param' and 'kafka_connect_param'",
                ));
            }
            (true, false) => return Err(ApiError::refused("kafka target is not supported yet")),
            (false, true) => {}
        }
        let address = self.address()?;
        self.check_login()?;
        self.check_certificates()?;
        let by_uri = !self.uri.is_empty();
        // Certificates without encryption would be a silent surprise, and the older server encrypts then, too.
        let has_certificates = !self.server_pem_path.is_empty() || !self.ca_pem_path.is_empty();
        let target = TargetAddress {
            host: if by_uri { String::new() } else { self.host },
            port: if by_uri { 0 } else { address.port },
            uri: self.uri,
            enable_tls: self.enable_tls || address.tls || has_certificates,
            connect_timeout: not_negative(
                self.connect_timeout,
                "the milvus connect timeout",
                "connect_timeout",
            )?,
            server_name: self.server_name,
            server_pem_path: self.server_pem_path,
            ca_pem_path: self.ca_pem_path,
            client_pem_path: self.client_pem_path,
            client_key_path: self.client_key_path,
            channel_num: not_negative(self.channel_num, "the channel num", "channel_num")?,
            ignore_partition: self.ignore_partition,
        };
        Ok((target, self.login, address))
    }

    /// A uri wins over host and port, as it always did.
    fn address(&self) -> Result<MilvusAddress, ApiError> {
        if !self.uri.is_empty() {
            return parse_uri(&self.uri).map_err(|error| ApiError::refused(error.to_string()));
        }
        if self.host.is_empty() {
            return Err(ApiError::refused(
                "the milvus host is empty: set 'milvus_connect_param.host' or 'uri'",
            ));
        }
        let host = parse_host(&self.host).map_err(|error| {
            ApiError::refused(format!(
                "{error}: 'milvus_connect_param.host' takes only the host, the port goes into 'port', \
                 credentials into 'username' and 'password'; a whole address goes into 'uri'"
            ))
        })?;
        let port = self.port.and_then(|port| u16::try_from(port).ok()).filter(|&port| port > 0).ok_or_else(
            || {
                ApiError::refused(
                    "the milvus port is not in 1..65535: set 'milvus_connect_param.port', usually 19530",
                )
            },
        )?;
        Ok(MilvusAddress { host, port, tls: self.enable_tls })
    }

    fn check_login(&self) -> Result<(), ApiError> {
        if self.login.username.is_some() != self.login.password.is_some() {
            return Err(ApiError::refused(
                "cannot set only one of the milvus username and password: set both, or use 'token'",
            ));
        }
        Ok(())
    }

    fn check_certificates(&self) -> Result<(), ApiError> {
        let paths = [&self.ca_pem_path, &self.client_pem_path, &self.client_key_path];
        let given = paths.iter().filter(|path| !path.is_empty()).count();
        if given != 0 && given != paths.len() {
            return Err(ApiError::refused(
                "the dial config is incomplete: set 'ca_pem_path', 'client_pem_path' and 'client_key_path' together, \
                 or only 'server_pem_path'",
            ));
        }
        if given != 0 && !self.server_pem_path.is_empty() {
            return Err(ApiError::refused(
                "the dial config names two kinds of certificates: keep 'server_pem_path', \
                 or 'ca_pem_path', 'client_pem_path' and 'client_key_path'",
            ));
        }
        Ok(())
    }
}

/// Of the Kafka target only the address matters today; the other types are checked so that a typo is not first seen
/// when that target exists.
fn read_kafka(kafka: &Fields<'_>) -> Result<String, FieldError> {
    kafka.string("topic")?;
    kafka.boolean("enable_sasl")?;
    let sasl = kafka.object("sasl")?;
    for name in ["username", "password", "mechanisms", "security_protocol"] {
        sasl.string(name)?;
    }
    kafka.string("address")
}

/// Reads a number that counts something. `what` is for the sentence, `field` for finding it.
pub(crate) fn not_negative(value: i64, what: &str, field: &str) -> Result<u32, ApiError> {
    if value < 0 {
        return Err(ApiError::refused(format!(
            "{what} is less than zero: set '{field}' to 0 (default) or more"
        )));
    }
    u32::try_from(value)
        .map_err(|_| ApiError::refused(format!("{what} is too large: set '{field}' to at most {}", u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::Login;

    #[test]
    fn secrets_are_scrubbed_and_never_shown() {
        let login = Login {
            token: Some("root:s3cret-token".into()),
            username: Some("root".into()),
            password: Some("s3cret-password".into()),
        };
        let message = login.scrub("no such user: root:s3cret-token, s3cret-token, s3cret-password");
        assert!(!message.contains("s3cret"), "{message}");
        assert!(!format!("{login:?}").contains("s3cret"));
    }
}
