//! The brokers of the Go tool's `cdc.yaml`, as `source.log`.

use std::collections::BTreeMap;

use harrier_milvus::secret_text::secret;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::go_tool::Settings;

/// `sourceConfig.pulsar`, `.kafka` or `.natsmq`: the keys of all three.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GoBroker {
    pub address: Option<String>,
    web_address: Option<String>,
    tenant: Option<String>,
    namespace: Option<String>,
    auth_plugin: Option<String>,
    #[serde(deserialize_with = "secret")]
    auth_params: Option<SecretString>,
    sasl_username: Option<String>,
    #[serde(deserialize_with = "secret")]
    sasl_password: Option<SecretString>,
    sasl_mechanisms: Option<String>,
    security_protocol: Option<String>,
}

impl GoBroker {
    pub fn settings(&self, kind: &str, settings: &mut Settings) {
        settings.set("source.log.kind", Some(kind.to_owned()));
        settings.set("source.log.address", self.address.clone());
        settings.set("source.log.admin_address", given(&self.web_address));
        settings.set("source.log.tenant", given(&self.tenant));
        settings.set("source.log.namespace", given(&self.namespace));
        settings.set("source.log.username", given(&self.sasl_username));
        let password = self.sasl_password.as_ref().map(|password| password.expose_secret().to_owned());
        settings.set("source.log.password", password);
        let mechanism = given(&self.sasl_mechanisms).map(|mechanism| mechanism.to_uppercase());
        settings.set("source.log.sasl_mechanism", mechanism);
        if self.security_protocol.as_ref().is_some_and(|protocol| protocol.to_uppercase().ends_with("SSL")) {
            settings.set("source.log.tls.enabled", Some(true));
        }
        if let Some(params) = &self.auth_params {
            self.credentials(params.expose_secret(), settings);
        }
    }

    /// Pulsar's `authParams`: JSON, or `name:value` with commas between; with the plugin for basic authentication also
    /// just `user:password`.
    fn credentials(&self, params: &str, settings: &mut Settings) {
        let pairs = pairs(params);
        if let Some(token) = pairs.get("token") {
            settings.set("source.log.token", Some(token.clone()));
        } else if let Some(user) = pairs.get("userId") {
            settings.set("source.log.username", Some(user.clone()));
            settings.set("source.log.password", pairs.get("password").cloned());
        } else if self.auth_plugin.as_ref().is_some_and(|plugin| plugin.contains("Basic"))
            && let Some((user, password)) = params.split_once(':')
        {
            settings.set("source.log.username", Some(user.to_owned()));
            settings.set("source.log.password", Some(password.to_owned()));
        }
        let path = |name: &str| pairs.get(name).cloned();
        settings.set("source.log.tls.client_pem_path", path("tlsCertFile"));
        settings.set("source.log.tls.client_key_path", path("tlsKeyFile"));
    }
}

fn given(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn pairs(params: &str) -> BTreeMap<String, String> {
    if let Ok(pairs) = serde_yaml_ng::from_str(params)
        && params.trim_start().starts_with('{')
    {
        return pairs;
    }
    let pair = |part: &str| {
        part.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
    };
    params.split(',').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn settings(yaml: &str, kind: &str) -> BTreeMap<&'static str, String> {
        let broker: GoBroker = serde_yaml_ng::from_str(yaml).unwrap();
        let mut settings = Settings::default();
        broker.settings(kind, &mut settings);
        let text = |value: figment::value::Value| {
            value.as_str().map_or_else(|| format!("{:?}", value.to_bool()), str::to_owned)
        };
        settings.0.into_iter().map(|(key, value)| (key, text(value))).collect()
    }

    #[test]
    fn a_pulsar_with_a_token_is_read() {
        for params in ["token:ey.J", r#"'{"token": "ey.J"}'"#] {
            let yaml = format!(
                "address: pulsar://p:6650\nwebAddress: p:80\nmaxMessageSize: 5242880\ntenant: t\nnamespace: n\n\
                 authPlugin: org.apache.pulsar.client.impl.auth.AuthenticationToken\nauthParams: {params}\n"
            );
            let found = settings(&yaml, "pulsar");
            assert_eq!(found["source.log.kind"], "pulsar");
            assert_eq!(found["source.log.address"], "pulsar://p:6650");
            assert_eq!(found["source.log.admin_address"], "p:80");
            assert_eq!((&*found["source.log.tenant"], &*found["source.log.namespace"]), ("t", "n"));
            assert_eq!(found["source.log.token"], "ey.J");
        }
    }

    #[test]
    fn a_pulsar_with_user_and_password_is_read() {
        for params in [r#"'{"userId": "root", "password": "a:b"}'"#, "root:a:b", "'userId:root,password:a:b'"]
        {
            let plugin = "org.apache.pulsar.client.impl.auth.AuthenticationBasic";
            let found = settings(&format!("authPlugin: {plugin}\nauthParams: {params}\n"), "pulsar");
            assert_eq!(found["source.log.username"], "root", "{params}");
            assert_eq!(found["source.log.password"], "a:b", "{params}");
        }
    }

    #[test]
    fn a_kafka_with_sasl_is_read() {
        let found = settings(
            "address: k:9092\nsaslUsername: root\nsaslPassword: 1234\nsaslMechanisms: scram-sha-256\n\
             securityProtocol: SASL_SSL\n",
            "kafka",
        );
        assert_eq!(found["source.log.username"], "root");
        assert_eq!(found["source.log.password"], "1234");
        assert_eq!(found["source.log.sasl_mechanism"], "SCRAM-SHA-256");
        assert_eq!(found["source.log.tls.enabled"], "Some(true)");
        let plain = settings("address: k:9092\nsecurityProtocol: SASL_PLAINTEXT\n", "kafka");
        assert!(!plain.contains_key("source.log.tls.enabled"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let broker: GoBroker =
            serde_yaml_ng::from_str("authParams: token:hunter2\nsaslPassword: hunter2\n").unwrap();
        assert!(!format!("{broker:?}").contains("hunter2"));
    }
}
