//! Secrets as people write them in a configuration.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Whole(i64),
    Flag(bool),
}

/// A secret: a whole number is taken as text (a password may consist of digits), and no message ever shows it. A number
/// with a fraction is refused: its text is lost by the time it is read (`1.10`).
pub fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let given = Option::<Scalar>::deserialize(deserializer)
        .map_err(|_| serde::de::Error::custom("expected a string in quotes (the value is not shown)"))?;
    let text = match given {
        None => return Ok(None),
        Some(Scalar::Text(text)) => text,
        Some(Scalar::Whole(number)) => number.to_string(),
        Some(Scalar::Flag(flag)) => flag.to_string(),
    };
    Ok(if text.is_empty() { None } else { Some(SecretString::from(text)) })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use crate::source::EtcdConfig;

    fn password(json: &str) -> Option<String> {
        let config: EtcdConfig = serde_json::from_str(&format!(r#"{{"password": {json}}}"#)).unwrap();
        config.password.map(|password| password.expose_secret().to_owned())
    }

    #[test]
    fn a_password_of_digits_needs_no_quotes() {
        assert_eq!(password("12345").as_deref(), Some("12345"));
        assert_eq!(password("true").as_deref(), Some("true"));
        assert_eq!(password(r#""words""#).as_deref(), Some("words"));
        assert_eq!(password("null"), None);
        assert_eq!(password(r#""""#), None);
    }

    #[test]
    fn what_is_no_text_is_refused_without_being_shown() {
        for value in [r#"{"hidden": 1}"#, "4711.5"] {
            let error =
                serde_json::from_str::<EtcdConfig>(&format!(r#"{{"password": {value}}}"#)).unwrap_err();
            assert!(!error.to_string().contains("hidden") && !error.to_string().contains("4711"), "{error}");
        }
    }
}
