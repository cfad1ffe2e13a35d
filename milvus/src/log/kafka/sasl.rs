//! Logging in with user and password.

use bytes::{BufMut, BytesMut};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::ExposeSecret;

use super::super::LogError;
use super::super::access::LogAccess;
use super::connection::{Api, Connection, put_string};
use super::error_code;
use super::scram::{Digest, Scram};
use crate::source::SaslMechanism;

const HANDSHAKE: Api = Api { key: 17, version: 1 };
const AUTHENTICATE: Api = Api { key: 36, version: 0 };
const DOING: &str = "logging in to Kafka";

/// Logs in, if there is a user.
pub(super) async fn log_in(connection: &mut Connection, access: &LogAccess) -> Result<(), LogError> {
    if access.username.is_empty() {
        return Ok(());
    }
    let mut request = BytesMut::new();
    put_string(&mut request, access.sasl_mechanism.as_str());
    let mut answer = connection.call(HANDSHAKE, &request).await?;
    error_code::check(answer.i16()?, DOING, "")?;
    let password = access.password.as_ref().map_or("", |password| password.expose_secret());
    match access.sasl_mechanism {
        SaslMechanism::Plain => {
            let message = format!("\0{}\0{password}", access.username);
            authenticate(connection, message.as_bytes()).await.map(|_| ())
        }
        SaslMechanism::ScramSha256 => scram(connection, Digest::sha256(), &access.username, password).await,
        SaslMechanism::ScramSha512 => scram(connection, Digest::sha512(), &access.username, password).await,
    }
}

async fn scram(
    connection: &mut Connection,
    digest: Digest,
    username: &str,
    password: &str,
) -> Result<(), LogError> {
    let mut random = [0_u8; 18];
    let drawn = SystemRandom::new().fill(&mut random);
    drawn.map_err(|_| LogError::Transient(format!("{DOING}: the system has no random numbers")))?;
    let nonce: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let refused = |why: &str| LogError::Auth(format!("{DOING}: {why}"));
    let scram = Scram::new(digest, username, nonce);
    let server_first = authenticate(connection, scram.first().as_bytes()).await?;
    let (last, expected) = scram.last(password, &server_first).map_err(refused)?;
    let server_last = authenticate(connection, last.as_bytes()).await?;
    expected.check(&server_last).map_err(refused)
}

async fn authenticate(connection: &mut Connection, message: &[u8]) -> Result<String, LogError> {
    let mut request = BytesMut::with_capacity(4 + message.len());
    request.put_i32(i32::try_from(message.len()).unwrap_or(i32::MAX));
    request.put_slice(message);
    let mut answer = connection.call(AUTHENTICATE, &request).await?;
    error_code::check(answer.i16()?, DOING, "")?;
    // The broker's words are not repeated: they may repeat what it was told.
    let _ = answer.string()?;
    Ok(String::from_utf8_lossy(&answer.bytes()?).into_owned())
}
