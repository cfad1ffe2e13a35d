//! Lists and secrets as people write them.

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A list, or one string with commas (as environment variables and flags have it).
pub fn string_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let given = OneOrMany::deserialize(deserializer)
        .map_err(|_| serde::de::Error::custom("expected a string or a list of strings"))?;
    Ok(match given {
        OneOrMany::One(text) => {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        OneOrMany::Many(list) => list,
    })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Whole(i64),
    Real(f64),
    Flag(bool),
}

/// A secret: any scalar is taken as text (a password may consist of digits), and no message ever shows it.
pub fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let given = Option::<Scalar>::deserialize(deserializer)
        .map_err(|_| serde::de::Error::custom("expected a string (the value is not shown)"))?;
    let text = match given {
        None => return Ok(None),
        Some(Scalar::Text(text)) => text,
        Some(Scalar::Whole(number)) => number.to_string(),
        Some(Scalar::Real(number)) => number.to_string(),
        Some(Scalar::Flag(flag)) => flag.to_string(),
    };
    Ok(if text.is_empty() { None } else { Some(SecretString::from(text)) })
}
