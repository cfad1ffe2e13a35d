//! What a connection shows of itself: the credentials of the configuration.

use bytes::Bytes;
use harrier_proto::pulsar::{AuthData, CommandAuthResponse, CommandConnect, FeatureFlags};
use secrecy::ExposeSecret;

use super::super::access::LogAccess;
use super::topic::CLIENT;

/// Up to the number that asks for nothing which a reader would have to know.
const PROTOCOL_VERSION: i32 = 15;

/// The login of a connection; `None` inside = none.
#[derive(Clone)]
pub(super) struct Login(Option<(&'static str, Bytes)>);

impl Login {
    /// A token is stronger than a user, a user than a certificate.
    pub fn of(access: &LogAccess) -> Self {
        if let Some(token) = &access.token {
            return Self(Some(("token", Bytes::copy_from_slice(token.expose_secret().as_bytes()))));
        }
        if !access.username.is_empty() {
            let password = access.password.as_ref().map_or("", |password| password.expose_secret());
            return Self(Some(("basic", format!("{}:{password}", access.username).into())));
        }
        let certificate = access.tls.as_ref().is_some_and(|tls| tls.client_pem.is_some());
        Self(certificate.then(|| ("tls", Bytes::new())))
    }

    /// The first command; `proxy_to` names the broker behind a proxy.
    pub fn connect(&self, proxy_to: Option<String>) -> CommandConnect {
        CommandConnect {
            client_version: CLIENT.to_owned(),
            auth_data: self.0.as_ref().map(|(_, data)| data.clone()),
            protocol_version: Some(PROTOCOL_VERSION),
            auth_method_name: self.0.as_ref().map(|(method, _)| (*method).to_owned()),
            proxy_to_broker_url: proxy_to,
            feature_flags: Some(FeatureFlags { supports_auth_refresh: Some(true) }),
        }
    }

    /// The answer to a broker that wants to see the credentials again.
    pub fn again(&self) -> CommandAuthResponse {
        let (method, data) = self.0.clone().unwrap_or(("none", Bytes::new()));
        CommandAuthResponse {
            client_version: Some(CLIENT.to_owned()),
            response: Some(AuthData { auth_method_name: Some(method.to_owned()), auth_data: Some(data) }),
            protocol_version: Some(PROTOCOL_VERSION),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use secrecy::SecretString;

    use super::*;
    use crate::log::LogTls;

    #[test]
    fn each_kind_of_credential_has_its_method() {
        let shown = |access: &LogAccess| {
            let connect = Login::of(access).connect(None);
            (connect.auth_method_name, connect.auth_data.map(|data| data.to_vec()))
        };
        let none = LogAccess::default();
        assert_eq!(shown(&none), (None, None));
        let tls = LogTls { client_pem: Some("certificate".into()), ..LogTls::default() };
        let certificate = LogAccess { tls: Some(tls), ..none };
        assert_eq!(shown(&certificate), (Some("tls".into()), Some(Vec::new())));
        let password = Some(SecretString::from("word"));
        let user = LogAccess { username: "root".into(), password, ..certificate };
        assert_eq!(shown(&user), (Some("basic".into()), Some(b"root:word".to_vec())));
        let token = LogAccess { token: Some(SecretString::from("ey.J")), ..user };
        assert_eq!(shown(&token), (Some("token".into()), Some(b"ey.J".to_vec())));
        let again = Login::of(&token).again().response.unwrap();
        assert_eq!(again.auth_data.unwrap().as_ref(), b"ey.J");
    }
}
