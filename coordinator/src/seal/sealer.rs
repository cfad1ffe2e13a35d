//! Sealing and opening.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{Aead, Nonce};
use aes_gcm::{Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

use super::{SealError, SealingKey};
use crate::registry::Sealed;

const NONCE_BYTES: usize = 12;

/// Seals with one key; opens what that key, or one of the former keys, has sealed. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<Vec<KnownKey>>,
}

struct KnownKey {
    id: String,
    cipher: Aes256Gcm,
}

impl Sealer {
    /// Seals and opens with this key.
    pub fn new(key: &SealingKey) -> Self {
        Self::with_former_keys(key, &[])
    }

    /// Seals with `key`; also opens what the former keys sealed, so that a key can be replaced while tasks live on.
    pub fn with_former_keys(key: &SealingKey, former: &[SealingKey]) -> Self {
        let known = |key: &SealingKey| KnownKey { id: key.id(), cipher: Aes256Gcm::new(key.bytes()) };
        Self { keys: Arc::new(std::iter::once(key).chain(former).map(known).collect()) }
    }

    /// Encrypts under a nonce that is never used again. Fails only when the system has no random bytes.
    pub fn seal(&self, secret: &[u8]) -> Result<Sealed, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| SealError::Random(error.to_string()))?;
        // There is always a first key, and no secret is larger than 64 GiB.
        let Some(key) = self.keys.first() else { return Err(SealError::Damaged) };
        let ciphertext =
            key.cipher.encrypt(&Nonce::<Aes256Gcm>::from(nonce), secret).map_err(|_| SealError::Damaged)?;
        Ok(Sealed { key_id: key.id.clone(), nonce: nonce.to_vec(), ciphertext })
    }

    /// Decrypts, and checks that nothing was altered. The result is wiped from memory when dropped.
    pub fn open(&self, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut candidates = self.keys.iter().filter(|key| key.id == sealed.key_id).peekable();
        if candidates.peek().is_none() {
            let known = self.keys.iter().map(|key| key.id.clone()).collect();
            return Err(SealError::OtherKey { wanted: sealed.key_id.clone(), known });
        }
        let nonce: [u8; NONCE_BYTES] = sealed.nonce.as_slice().try_into().map_err(|_| SealError::Damaged)?;
        let nonce = Nonce::<Aes256Gcm>::from(nonce);
        // An id is short; should two keys share one, the tag tells them apart.
        candidates
            .find_map(|key| key.cipher.decrypt(&nonce, sealed.ciphertext.as_slice()).ok())
            .map(Zeroizing::new)
            .ok_or(SealError::Damaged)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(|key| key.id.as_str()).collect();
        formatter.debug_struct("Sealer").field("keys", &ids).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::from_text("test", format!("{byte:02x}").repeat(32).as_bytes()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_and_looks_like_nothing() {
        let sealer = Sealer::new(&key(1));
        for secret in [b"".as_slice(), b"root:Milvus", &[7; 5_000]] {
            let sealed = sealer.seal(secret).unwrap();
            assert_eq!(sealer.open(&sealed).unwrap().as_slice(), secret);
            assert_eq!(sealed.ciphertext.len(), secret.len() + 16);
            let shown = format!("{sealed:?}{}", serde_json::to_string(&sealed).unwrap());
            assert!(!shown.contains("Milvus"));
        }
        assert_ne!(sealer.seal(b"x").unwrap().nonce, sealer.seal(b"x").unwrap().nonce);
    }

    #[test]
    fn anything_altered_is_refused() {
        let sealer = Sealer::new(&key(1));
        let sealed = sealer.seal(b"root:Milvus").unwrap();
        for at in 0..sealed.ciphertext.len() {
            let mut altered = sealed.clone();
            altered.ciphertext[at] ^= 1;
            assert!(matches!(sealer.open(&altered), Err(SealError::Damaged)));
        }
        let mut other_nonce = sealed.clone();
        other_nonce.nonce[0] ^= 1;
        assert!(matches!(sealer.open(&other_nonce), Err(SealError::Damaged)));
        let short = Sealed { nonce: vec![1], ..sealed.clone() };
        assert!(matches!(sealer.open(&short), Err(SealError::Damaged)));
        let empty = Sealed { ciphertext: Vec::new(), ..sealed };
        assert!(matches!(sealer.open(&empty), Err(SealError::Damaged)));
    }

    #[test]
    fn another_key_is_named() {
        let sealed = Sealer::new(&key(1)).seal(b"x").unwrap();
        let error = Sealer::new(&key(2)).open(&sealed).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, SealError::OtherKey { .. }));
        assert!(message.contains(&key(1).id()) && message.contains(&key(2).id()), "{message}");
        assert!(message.contains("create it again"));
    }

    #[test]
    fn a_former_key_still_opens() {
        let sealed = Sealer::new(&key(1)).seal(b"x").unwrap();
        let sealer = Sealer::with_former_keys(&key(2), &[key(3), key(1)]);
        assert_eq!(sealer.open(&sealed).unwrap().as_slice(), b"x");
        assert_eq!(sealer.seal(b"x").unwrap().key_id, key(2).id());
    }
}
