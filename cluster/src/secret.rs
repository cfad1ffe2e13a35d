//! The secret: a line of text from a file that only its owner can read, or from the environment.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tonic::metadata::{Ascii, MetadataValue};
use zeroize::Zeroizing;

/// The environment variable that may hold the secret.
pub const ENVIRONMENT: &str = "HARRIER_CLUSTER_SECRET";

/// Shorter ones can be guessed.
const LENGTH_MIN: usize = 16;
/// Longer ones are not a secret but a wrong file.
const LENGTH_MAX: usize = 1024;
const SCHEME: &str = "Bearer ";

/// What can be wrong with the secret. Never contains it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the cluster secret file {}: {source}; check cluster.secret_file", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("the cluster secret file {} can be read by others (mode {mode:03o}): run chmod 600 on it", .path.display())]
    FileMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not usable as a secret.
    #[error(
        "{origin} holds no cluster secret: expected one word of {LENGTH_MIN} to {LENGTH_MAX} letters, digits or signs, \
         such as `harrier key generate FILE` makes"
    )]
    NotASecret {
        /// Which file or variable.
        origin: String,
    },
}

/// What all coordinators and workers of one cluster share. Wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct ClusterSecret {
    /// As it travels: `Bearer` and the secret.
    text: SecretString,
}

impl ClusterSecret {
    /// Reads the secret from a file that nobody but its owner may read.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let file_error = |source| SecretError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(file_error)?;
        let mode = file.metadata().map_err(file_error)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretError::FileMode { path: path.to_owned(), mode });
        }
        // Reserved at once: growing would leave copies behind.
        let mut content = Zeroizing::new(Vec::with_capacity(2 * LENGTH_MAX));
        file.take(2 * LENGTH_MAX as u64).read_to_end(&mut content).map_err(file_error)?;
        Self::from_text(&path.display().to_string(), &content)
    }

    /// Reads the secret from the environment; `None` when the variable is not set.
    pub fn from_env() -> Result<Option<Self>, SecretError> {
        match std::env::var_os(ENVIRONMENT) {
            Some(text) => Self::from_text(ENVIRONMENT, text.as_encoded_bytes()).map(Some),
            None => Ok(None),
        }
    }

    /// Takes the secret from text; `origin` names where it was for the error.
    pub fn from_text(origin: &str, text: &[u8]) -> Result<Self, SecretError> {
        let text = text.trim_ascii();
        let fits = (LENGTH_MIN..=LENGTH_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(text) {
            Ok(text) if fits => Ok(Self { text: SecretString::from(format!("{SCHEME}{text}")) }),
            _ => Err(SecretError::NotASecret { origin: origin.to_owned() }),
        }
    }

    /// The value of the header that proves a caller; not shown by `Debug`.
    pub(crate) fn header(&self) -> Option<MetadataValue<Ascii>> {
        let mut value = MetadataValue::try_from(self.text.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether a header's value is this secret's. Takes as long for a nearly right one as for a wrong one.
    pub(crate) fn is_proved_by(&self, value: &[u8]) -> bool {
        self.text.expose_secret().as_bytes().ct_eq(value).into()
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClusterSecret").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const TEXT: &str = "a-secret-of-23-letters";

    #[test]
    fn it_comes_from_a_file_of_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(ClusterSecret::load(&path).unwrap_err().to_string().contains("cluster.secret_file"));
        fs::write(&path, format!("{TEXT}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(ClusterSecret::load(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let secret = ClusterSecret::load(&path).unwrap();
        assert!(secret.is_proved_by(format!("Bearer {TEXT}").as_bytes()));
        assert!(!format!("{secret:?}{:?}", secret.header()).contains(TEXT));
    }

    #[test]
    fn what_could_be_guessed_or_is_no_text_is_refused() {
        let too_long = "x".repeat(LENGTH_MAX + 1);
        for wrong in ["", "short", "fifteen-letters", "two words are no secret", too_long.as_str()] {
            let error = ClusterSecret::from_text("FILE", wrong.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("FILE holds no cluster secret"), "{error}");
        }
        ClusterSecret::from_text("FILE", &[0xff; 20]).unwrap_err();
    }
}
