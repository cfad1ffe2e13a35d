//! One connection to a Kafka broker: requests out, answers in, matched by number. It is not repaired.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::super::LogError;
use super::super::access::LogAccess;
use super::super::wire::address::Address;
use super::super::wire::link::Link;
use super::super::wire::stream::connect;
use super::super::wire::tls::TlsSettings;
use super::input::Input;
use super::{error_code, sasl};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Shown in the broker's own logs and metrics.
const CLIENT_ID: &str = "harrier";
const API_VERSIONS: Api = Api { key: 18, version: 0 };
const FETCH_KEY: i16 = 1;
/// From Kafka 1.0 (5: the answer says where the log begins) to the last before the protocol's compact forms; from 10 on
/// (Kafka 2.1) the broker hands over zstd.
const FETCH_VERSIONS: std::ops::RangeInclusive<i16> = 5..=10;

/// A request and its form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Api {
    pub key: i16,
    pub version: i16,
}

/// An open connection, logged in.
pub(super) struct Connection {
    link: Link,
    address: Address,
    next_number: i32,
    fetch_version: i16,
}

impl Connection {
    /// Connects, asks what the broker speaks, and logs in.
    pub async fn open(
        address: &Address,
        access: &LogAccess,
        tls: Option<&TlsSettings>,
    ) -> Result<Self, LogError> {
        let mut connection = Self::reach(address, tls)
            .await
            .map_err(|error| LogError::Transient(format!("connecting to {address}: {error}")))?;
        connection.agree_on_versions().await?;
        sasl::log_in(&mut connection, access).await?;
        Ok(connection)
    }

    /// Connects without a word.
    pub async fn reach(address: &Address, tls: Option<&TlsSettings>) -> std::io::Result<Self> {
        let stream = connect(address, tls).await?;
        Ok(Self { link: Link::new(stream), address: address.clone(), next_number: 0, fetch_version: 0 })
    }

    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The form of fetch requests that both sides know.
    pub const fn fetch(&self) -> Api {
        Api { key: FETCH_KEY, version: self.fetch_version }
    }

    /// Asks which requests the broker knows.
    pub async fn agree_on_versions(&mut self) -> Result<(), LogError> {
        let mut answer = self.call(API_VERSIONS, &[]).await?;
        error_code::check(answer.i16()?, "asking for its versions", "")?;
        let ranges = answer.array(|range| Ok((range.i16()?, range.i16()?, range.i16()?)))?;
        let fetch = ranges.iter().find(|(key, ..)| *key == FETCH_KEY);
        let version = fetch.map_or(0, |(_, _, newest)| *FETCH_VERSIONS.end().min(newest));
        if !FETCH_VERSIONS.contains(&version) || fetch.is_none_or(|(_, oldest, _)| *oldest > version) {
            return Err(LogError::Unsupported(format!(
                "the broker {} is none of Kafka 1.0 or later",
                self.address
            )));
        }
        self.fetch_version = version;
        Ok(())
    }

    /// Sends a request; its answer is the one with this number.
    pub fn send(&mut self, api: Api, body: &[u8]) -> Result<i32, LogError> {
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        let mut frame = BytesMut::with_capacity(body.len() + 32);
        frame.put_i32(0);
        frame.put_i16(api.key);
        frame.put_i16(api.version);
        frame.put_i32(number);
        put_string(&mut frame, CLIENT_ID);
        frame.put_slice(body);
        let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
        if let Some(place) = frame.first_chunk_mut::<4>() {
            *place = length.to_be_bytes();
        }
        self.link.send(frame.freeze())?;
        Ok(number)
    }

    /// The answer to request `number`; `None` if nothing came for `silence`. Cancel safe.
    pub async fn answer(&mut self, number: i32, silence: Duration) -> Result<Option<Input>, LogError> {
        match self.link.frame(silence).await? {
            Some(frame) => numbered(frame, number).map(Some),
            None => Ok(None),
        }
    }

    /// A request and its answer, with no other under way.
    pub async fn call(&mut self, api: Api, body: &[u8]) -> Result<Input, LogError> {
        let number = self.send(api, body)?;
        match self.answer(number, REQUEST_TIMEOUT).await? {
            Some(answer) => Ok(answer),
            None => {
                let seconds = REQUEST_TIMEOUT.as_secs();
                Err(LogError::Transient(format!("{} did not answer within {seconds} s", self.address)))
            }
        }
    }
}

/// Brokers answer in the order of the requests.
fn numbered(frame: Bytes, number: i32) -> Result<Input, LogError> {
    let mut answer = Input(frame);
    match answer.i32()? {
        got if got == number => Ok(answer),
        got => Err(LogError::Transient(format!("answer {got} came where {number} was due"))),
    }
}

pub(super) fn put_string(body: &mut BytesMut, text: &str) {
    // Names of topics, users and mechanisms are far below this; one that is not is refused by the broker.
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    body.put_i16(length);
    body.put_slice(text.as_bytes());
}
