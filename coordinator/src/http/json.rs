//! JSON as this API takes it: stricter than usual, because a silently dropped second `task_id` could pause the wrong task.
//!
//! Owns the parsing of a body into a value. Says nothing about which fields a request has.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Parses a body. The error says what is wrong with line and column and never quotes the body, which may hold a
/// password. Nesting is bounded by the parser (128 levels).
pub(crate) fn parse(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| not_utf8(body, error.valid_up_to()))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = UniqueKeys.deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

fn not_utf8(body: &[u8], valid_up_to: usize) -> String {
    let valid = body.get(..valid_up_to).unwrap_or_default();
    let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
    let line_start = valid.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    format!("the body is not valid UTF-8 at line {line} column {}", valid_up_to - line_start + 1)
}

/// Builds a [`Value`] and refuses an object that has the same key twice.
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(UniqueKeys)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is given twice in one object")));
            }
            let value = members.next_value_seed(UniqueKeys)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::parse;

    #[test]
    fn errors_say_where() {
        assert_eq!(
            parse(b"{\n  \"a\": }").unwrap_err(),
            "expected value at line 2 column 8",
            "the place of the mistake"
        );
        assert_eq!(parse(b"").unwrap_err(), "EOF while parsing a value at line 1 column 0");
        assert_eq!(parse(b"{}x").unwrap_err(), "trailing characters at line 1 column 3");
        assert_eq!(
            parse(b"{\"a\":\n \"\xff\"}").unwrap_err(),
            "the body is not valid UTF-8 at line 2 column 3"
        );
        assert_eq!(
            parse(br#"{"a": {"b": 1, "b": 2}}"#).unwrap_err(),
            "the key \"b\" is given twice in one object at line 1 column 18"
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert!(parse(&deep).unwrap_err().starts_with("recursion limit exceeded at line 1"));
    }

    #[test]
    fn values_arrive_unchanged() {
        let text = r#"{"名前": "集合", "n": -5, "big": 18446744073709551615, "f": 1.5, "x": [null, true, {"y": "\u00e9"}]}"#;
        let expected =
            json!({"名前": "集合", "n": -5, "big": u64::MAX, "f": 1.5, "x": [null, true, {"y": "é"}]});
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_parser_and_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = parse(&body) {
                prop_assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), value);
            }
        }

        #[test]
        fn broken_requests_never_panic(cut in 0usize..120, byte in any::<u8>()) {
            let mut body = br#"{"request_type":"create","request_data":{"milvus_connect_param":{"host":"a","port":19530},"x":[1,2.5,null]}}"#.to_vec();
            if let Some(place) = body.get_mut(cut) {
                *place = byte;
            }
            let _ = parse(&body);
        }
    }
}
