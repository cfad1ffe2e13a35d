//! The proof of a password by SCRAM (RFC 5802, RFC 7677), as Kafka uses it: no channel binding. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// More rounds than any broker asks for: each costs time here, and the broker chooses the number.
const ITERATIONS_MAX: u32 = 1_000_000;

/// Which digest.
#[derive(Clone, Copy)]
pub(super) struct Digest {
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
    hash: &'static digest::Algorithm,
}

impl Digest {
    pub fn sha256() -> Self {
        Self { hmac: hmac::HMAC_SHA256, pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256, hash: &digest::SHA256 }
    }

    pub fn sha512() -> Self {
        Self { hmac: hmac::HMAC_SHA512, pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512, hash: &digest::SHA512 }
    }
}

/// A login that has begun.
pub(super) struct Scram {
    digest: Digest,
    nonce: String,
    first_bare: String,
}

/// What has to come back at the end: only who knows the password can say it.
pub(super) struct ExpectedServer(Vec<u8>);

impl Scram {
    /// `nonce` is random, printable and without commas.
    pub fn new(digest: Digest, username: &str, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        Self { digest, first_bare: format!("n={name},r={nonce}"), nonce }
    }

    /// The first message.
    pub fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// The last message, from the server's first.
    pub fn last(&self, password: &str, server_first: &str) -> Result<(String, ExpectedServer), &'static str> {
        let nonce = field(server_first, "r").ok_or("it sent no nonce")?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("its nonce does not continue ours");
        }
        let salt =
            field(server_first, "s").and_then(|salt| STANDARD.decode(salt).ok()).ok_or("it sent no salt")?;
        let iterations = field(server_first, "i")
            .and_then(|count| count.parse().ok())
            .filter(|count: &NonZeroU32| count.get() <= ITERATIONS_MAX)
            .ok_or("its number of iterations is out of bounds")?;
        let mut salted = vec![0; self.digest.hash.output_len()];
        pbkdf2::derive(self.digest.pbkdf2, iterations, &salt, password.as_bytes(), &mut salted);
        let client_key = self.mac(&salted, b"Client Key");
        let stored_key = digest::digest(self.digest.hash, client_key.as_ref());
        // "biws" is "n,," in base64: no channel binding.
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{server_first},{without_proof}", self.first_bare);
        let signature = self.mac(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        let server_key = self.mac(&salted, b"Server Key");
        let expected = self.mac(server_key.as_ref(), signed.as_bytes()).as_ref().to_vec();
        Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), ExpectedServer(expected)))
    }

    fn mac(&self, key: &[u8], message: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.digest.hmac, key), message)
    }
}

impl ExpectedServer {
    /// Whether the server's last message proves that it knows the password.
    pub fn check(&self, server_last: &str) -> Result<(), &'static str> {
        if field(server_last, "e").is_some() {
            return Err("wrong user or password");
        }
        match field(server_last, "v").and_then(|proof| STANDARD.decode(proof).ok()) {
            Some(proof) if proof == self.0 => Ok(()),
            _ => Err("it could not prove that it knows the password"),
        }
    }
}

fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn of_the_rfc() -> Scram {
        Scram::new(Digest::sha256(), "user", "rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    #[test]
    fn the_exchange_of_rfc_7677_comes_out() {
        let scram = of_the_rfc();
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (last, expected) = scram.last("pencil", SERVER_FIRST).unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        expected.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        expected.check("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap_err();
        assert_eq!(expected.check("e=invalid-proof").unwrap_err(), "wrong user or password");
    }

    #[test]
    fn a_server_that_cheats_is_refused() {
        for first in [
            "",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
        ] {
            assert!(of_the_rfc().last("pencil", first).is_err(), "{first}");
        }
    }

    #[test]
    fn signs_of_the_format_in_a_name_are_written_around() {
        let scram = Scram::new(Digest::sha512(), "a=b,c", "x".to_owned());
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=x");
    }
}
