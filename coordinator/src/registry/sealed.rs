//! Secrets as the registry holds them: encrypted before they are proposed, so that neither the Raft log nor a
//! snapshot ever contains plain text.

use serde::{Deserialize, Serialize};

/// An encrypted secret and the key that opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which sealing key was used; allows rotation.
    pub key_id: String,
    /// 96-bit nonce, unique per sealing.
    pub nonce: Vec<u8>,
    /// AES-256-GCM ciphertext with its tag.
    pub ciphertext: Vec<u8>,
}
