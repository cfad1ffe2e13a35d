//! YAML as a layer of the configuration.

use figment::providers::Format;
use serde::de::DeserializeOwned;

/// Reads YAML text.
pub struct Yaml;

impl Format for Yaml {
    type Error = serde_yaml_ng::Error;

    const NAME: &'static str = "YAML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        // A file that holds only comments is an empty mapping, not an error.
        let value: serde_yaml_ng::Value = serde_yaml_ng::from_str(text)?;
        let value = if value.is_null() { serde_yaml_ng::Value::Mapping(Default::default()) } else { value };
        serde_yaml_ng::from_value(value)
    }
}
