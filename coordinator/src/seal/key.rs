//! The sealing key: 32 bytes from a file that only its owner can read, or from the environment.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aes_gcm::KeyInit;
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::SealError;

/// The environment variable that may hold the key.
pub const ENVIRONMENT: &str = "HARRIER_SEALING_KEY";

const KEY_BYTES: usize = 32;
/// Longer files hold something else.
const FILE_BYTES_MAX: u64 = 4096;
/// Encrypted under a key, its first bytes name the key. Ends in a zero counter, which AES-GCM never encrypts with a
/// 96-bit nonce: the name says nothing of any secret's key stream.
const KEY_ID_BLOCK: [u8; 16] = *b"harrier key \0\0\0\0";

/// The key. Wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct SealingKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl SealingKey {
    /// Reads the key from a file that nobody but its owner may read.
    pub fn load(path: &Path) -> Result<Self, SealError> {
        let file = File::open(path).map_err(|source| file_error(path, source))?;
        let mode = file.metadata().map_err(|source| file_error(path, source))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SealError::FileMode { path: path.to_owned(), mode });
        }
        // Reserved at once: growing would leave copies behind.
        let mut content = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
        file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(|source| file_error(path, source))?;
        Self::parse(&content).ok_or_else(|| SealError::NotAKey { origin: path.display().to_string() })
    }

    /// Reads the key from the environment; `None` when the variable is not set.
    pub fn from_env() -> Result<Option<Self>, SealError> {
        match std::env::var_os(ENVIRONMENT) {
            Some(text) => Self::from_text(ENVIRONMENT, text.as_encoded_bytes()).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the key from text (hexadecimal or base64); `origin` names where it was for the error.
    pub fn from_text(origin: &str, text: &[u8]) -> Result<Self, SealError> {
        Self::parse(text).ok_or_else(|| SealError::NotAKey { origin: origin.to_owned() })
    }

    /// Makes a new key and writes it to a new file that only its owner may read.
    pub fn generate_to(path: &Path) -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(|error| SealError::Random(error.to_string()))?;
        let key = Self { bytes };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match file.and_then(|file| key.write(file)).and_then(|()| sync_folder(path)) {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(SealError::FileExists { path: path.to_owned() })
            }
            Err(source) => Err(file_error(path, source)),
        }
    }

    /// Reads the key from the file, or makes it there if the file does not exist.
    pub fn load_or_generate(path: &Path) -> Result<Self, SealError> {
        match fs::exists(path) {
            Ok(true) => Self::load(path),
            Ok(false) => Self::generate_to(path),
            Err(source) => Err(file_error(path, source)),
        }
    }

    /// Names the key without telling it: 8 hexadecimal digits.
    pub fn id(&self) -> String {
        let mut block = KEY_ID_BLOCK.into();
        Aes256::new(self.bytes()).encrypt_block(&mut block);
        block.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn bytes(&self) -> &aes_gcm::Key<aes_gcm::Aes256Gcm> {
        (&*self.bytes).into()
    }

    fn write(&self, mut file: File) -> std::io::Result<()> {
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
        for byte in self.bytes.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        text.push('\n');
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let text = content.trim_ascii();
        let decoded = match text.len() {
            64 => hexadecimal(text)?,
            _ => {
                // A valid text is 44 bytes long.
                let mut decoded = Zeroizing::new(vec![0; text.len() + 3]);
                let length = STANDARD.decode_slice(text, &mut decoded).ok()?;
                decoded.truncate(length);
                decoded
            }
        };
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if decoded.len() != KEY_BYTES {
            return None;
        }
        bytes.copy_from_slice(&decoded);
        Some(Self { bytes })
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SealingKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

fn hexadecimal(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.chunks_exact(2) {
        bytes.push(u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?);
    }
    Some(bytes)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn file_error(path: impl Into<PathBuf>, source: std::io::Error) -> SealError {
    SealError::File { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::os::unix::fs::PermissionsExt;

    use tempfile::tempdir;

    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn both_spellings_are_the_same_key() {
        let hex = SealingKey::from_text("x", format!("{HEX}\n").as_bytes()).unwrap();
        let base64 = SealingKey::from_text("x", format!("  {BASE64}\r\n").as_bytes()).unwrap();
        assert_eq!(*hex.bytes, *base64.bytes);
        // Tasks that were sealed name the key by this.
        assert_eq!(hex.id(), KNOWN_ID);
    }

    /// AES-256 of `KEY_ID_BLOCK` under the key above, as `openssl enc -aes-256-ecb -nopad` gives it.
    const KNOWN_ID: &str = "1fca6f63";

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        for text in ["", "hunter2", &HEX[2..], &format!("{HEX}00"), &format!("g{}", &HEX[1..]), "AAEC"] {
            let error = SealingKey::from_text("the test", text.as_bytes()).unwrap_err();
            assert!(matches!(error, SealError::NotAKey { .. }));
            assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
            assert!(error.to_string().contains("the test"));
        }
    }

    #[test]
    fn a_generated_key_is_its_owners_alone_and_comes_back() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let key = SealingKey::load_or_generate(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*SealingKey::load(&path).unwrap().bytes, *key.bytes);
        assert_eq!(*SealingKey::load_or_generate(&path).unwrap().bytes, *key.bytes);
        assert!(matches!(SealingKey::generate_to(&path), Err(SealError::FileExists { .. })));
        let other = SealingKey::generate_to(&folder.path().join("other.key")).unwrap();
        assert_ne!(*other.bytes, *key.bytes);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        SealingKey::generate_to(&path).unwrap();
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = SealingKey::load(&path).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        SealingKey::load(&path).unwrap();
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = SealingKey::load(Path::new("/nowhere/sealing.key")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/sealing.key"));
    }

    #[test]
    fn debug_shows_no_key() {
        let key = SealingKey::from_text("x", HEX.as_bytes()).unwrap();
        assert_eq!(format!("{key:?}"), format!("SealingKey {{ id: \"{KNOWN_ID}\", .. }}"));
    }
}
