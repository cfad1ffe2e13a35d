//! What can be wrong with a configuration, said so that the operator knows which line to change.

use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {path}; give one that exists to --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is unknown or a value is of the wrong kind.
    #[error("{key}: {problem}{value} ({origin})")]
    Invalid {
        /// Dotted path of the key.
        key: String,
        /// What is wrong and what was expected.
        problem: String,
        /// `, found ...`, or empty where the value must not be shown.
        value: String,
        /// Which layer the value came from.
        origin: String,
    },
    /// The values are each of the right kind, but do not fit together.
    #[error("{key}: {problem}, found {value}")]
    Unfit {
        /// Dotted path of the key.
        key: String,
        /// What was expected.
        problem: String,
        /// The value.
        value: String,
    },
}

/// Keys whose values never appear in a message.
fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    ["password", "token", "secret", "authparams"].iter().any(|word| last.contains(word))
}

impl ConfigError {
    /// Turns an extraction error of the layers into one that names key, value, expectation and origin.
    pub(super) fn from_figment(error: &figment::Error, figment: &figment::Figment) -> Self {
        let (problem, unknown) = describe(&error.kind);
        let mut path: Vec<String> = error.path.clone();
        if let Some(field) = unknown
            && path.last() != Some(&field)
        {
            path.push(field);
        }
        let key = if path.is_empty() { "configuration".to_owned() } else { path.join(".") };
        let value = if is_secret(&key) || path.is_empty() { None } else { figment.find_value(&key).ok() };
        let origin = error.metadata.as_ref().map_or_else(|| "built-in default".to_owned(), origin_of);
        Self::Invalid {
            problem,
            value: value.map(|value| format!(", found {}", show(&value))).unwrap_or_default(),
            origin,
            key,
        }
    }
}

fn origin_of(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(source) => format!("{} {source}", metadata.name),
        None => metadata.name.to_string(),
    }
}

/// The problem in words, and the name of the field if it is an unknown one.
fn describe(kind: &figment::error::Kind) -> (String, Option<String>) {
    use figment::error::Kind;
    match kind {
        Kind::UnknownField(field, expected) => {
            (format!("unknown key, expected one of: {}", expected.join(", ")), Some(field.clone()))
        }
        Kind::UnknownVariant(_, expected) => (format!("expected one of: {}", expected.join(", ")), None),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            (format!("expected {expected}"), None)
        }
        Kind::InvalidLength(_, expected) => (format!("expected {expected}"), None),
        Kind::MissingField(field) => (format!("the key {field} is missing"), None),
        other => (other.to_string(), None),
    }
}

fn show(value: &figment::value::Value) -> String {
    use figment::value::Value;
    match value {
        Value::String(_, text) => format!("\"{text}\""),
        Value::Char(_, character) => format!("\"{character}\""),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => match (number.to_i128(), number.to_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(real)) => real.to_string(),
            (None, None) => "a number".to_owned(),
        },
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(..) => "a section".to_owned(),
        Value::Array(..) => "a list".to_owned(),
    }
}
