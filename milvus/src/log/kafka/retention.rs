//! How long the broker keeps a channel: the configuration of its topic.

use std::time::Duration;

use bytes::{BufMut, BytesMut};

use super::super::LogError;
use super::super::access::LogAccess;
use super::super::retention::Retention;
use super::cluster;
use super::connection::{Api, put_string};
use super::input::{Input, Malformed};

const DESCRIBE_CONFIGS: Api = Api { key: 32, version: 1 };
const TOPIC: i8 = 2;
const TIME: &str = "retention.ms";
const BYTES: &str = "retention.bytes";

/// The policy of the channel's topic; `None` if the broker does not tell, which takes the right DESCRIBE_CONFIGS.
pub(super) async fn read(access: &LogAccess, channel: &str) -> Result<Option<Retention>, LogError> {
    let mut connection = match cluster::leader(access, channel).await {
        // Kafka makes a topic with its first message.
        Err(LogError::NoSuchChannel(_)) => return Ok(None),
        other => other?,
    };
    let mut body = BytesMut::new();
    body.put_i32(1);
    body.put_i8(TOPIC);
    put_string(&mut body, channel);
    body.put_i32(2);
    put_string(&mut body, TIME);
    put_string(&mut body, BYTES);
    body.put_i8(0);
    Ok(parse(&mut connection.call(DESCRIBE_CONFIGS, &body).await?)?)
}

fn parse(answer: &mut Input) -> Result<Option<Retention>, Malformed> {
    let _throttled_ms = answer.i32()?;
    let resources = answer.array(|resource| {
        let error = resource.i16()?;
        let (_message, _kind, _name) = (resource.string()?, resource.i8()?, resource.string()?);
        let values = resource.array(|config| {
            let (name, value) = (config.string()?, config.string()?);
            let (_read_only, _source, _secret) = (config.i8()?, config.i8()?, config.i8()?);
            config.array(|synonym| Ok((synonym.string()?, synonym.string()?, synonym.i8()?)))?;
            Ok((name, value))
        })?;
        Ok((error, values))
    })?;
    let Some((0, values)) = resources.into_iter().next() else { return Ok(None) };
    let number = |key: &str| values.iter().find(|(name, _)| name == key)?.1.parse::<i64>().ok();
    let (Some(time_ms), Some(bytes)) = (number(TIME), number(BYTES)) else { return Ok(None) };
    Ok(Some(Retention {
        time: u64::try_from(time_ms).ok().map(Duration::from_millis),
        bytes: u64::try_from(bytes).ok(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn answer(error: i16, values: &[(&str, &str)]) -> Input {
        let mut answer = BytesMut::new();
        answer.put_i32(0);
        answer.put_i32(1);
        answer.put_i16(error);
        answer.put_i16(-1);
        answer.put_i8(TOPIC);
        put_string(&mut answer, "c");
        answer.put_i32(i32::try_from(values.len()).unwrap());
        for (name, value) in values {
            put_string(&mut answer, name);
            put_string(&mut answer, value);
            answer.put_slice(&[0, 5, 0]);
            answer.put_i32(-1);
        }
        Input(answer.freeze())
    }

    #[test]
    fn the_configuration_of_a_topic_is_read() {
        let week = parse(&mut answer(0, &[(TIME, "604800000"), (BYTES, "-1")])).unwrap();
        assert_eq!(week, Some(Retention { time: Some(Duration::from_secs(604_800)), bytes: None }));
        let bounded = parse(&mut answer(0, &[(BYTES, "1048576"), (TIME, "-1")])).unwrap();
        assert_eq!(bounded, Some(Retention { time: None, bytes: Some(1 << 20) }));
        assert_eq!(parse(&mut answer(29, &[])).unwrap(), None, "not allowed");
        assert_eq!(parse(&mut answer(0, &[(TIME, "x")])).unwrap(), None);
    }
}
