//! What is secret of a target.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{SealError, Sealer};
use crate::registry::Sealed;

/// How to log in at a target: a token, or a user and a password. Never printed, and wiped from memory when dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSecrets {
    /// `user:password` or an API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// User, where no token was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl TargetSecrets {
    /// Encrypts them for the registry.
    pub fn seal(&self, sealer: &Sealer) -> Result<Sealed, SealError> {
        let mut json = Zeroizing::new(Vec::with_capacity(self.json_bytes_max()));
        serde_json::to_writer(&mut *json, self).map_err(|_| SealError::Damaged)?;
        sealer.seal(&json)
    }

    /// Decrypts them.
    pub fn open(sealed: &Sealed, sealer: &Sealer) -> Result<Self, SealError> {
        // The cause is left out on purpose: it may quote the text.
        serde_json::from_slice(&sealer.open(sealed)?).map_err(|_| SealError::Damaged)
    }

    /// Room for the JSON, escapes included, so that no grown buffer leaves a copy in memory.
    fn json_bytes_max(&self) -> usize {
        let texts = [&self.token, &self.username, &self.password];
        texts.into_iter().flatten().map(|text| 6 * text.len()).sum::<usize>() + 64
    }
}

impl Drop for TargetSecrets {
    fn drop(&mut self) {
        self.token.zeroize();
        self.username.zeroize();
        self.password.zeroize();
    }
}

impl fmt::Debug for TargetSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TargetSecrets")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::super::SealingKey;
    use super::*;

    #[test]
    fn they_come_back_and_do_not_show() {
        let sealer = Sealer::new(&SealingKey::from_text("test", "0a".repeat(32).as_bytes()).unwrap());
        let secrets = TargetSecrets {
            token: None,
            username: Some("root".into()),
            password: Some("h\u{fc}nter2\"\n".into()),
        };
        let sealed = secrets.seal(&sealer).unwrap();
        assert!(TargetSecrets::open(&sealed, &sealer).unwrap() == secrets);
        assert_eq!(format!("{secrets:?}"), "TargetSecrets");
        let nothing = TargetSecrets::default();
        assert!(TargetSecrets::open(&nothing.seal(&sealer).unwrap(), &sealer).unwrap() == nothing);
    }

    #[test]
    fn sealed_text_that_is_no_secrets_is_not_quoted() {
        let sealer = Sealer::new(&SealingKey::from_text("test", "0a".repeat(32).as_bytes()).unwrap());
        let sealed = sealer.seal(b"{\"token\": hunter2}").unwrap();
        let error = TargetSecrets::open(&sealed, &sealer).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
