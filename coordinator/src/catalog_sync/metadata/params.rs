//! Parameters of indexes, in a form in which two servers can be compared. Pure.

use std::collections::BTreeMap;

use harrier_proto::common::KeyValuePair;
use serde_json::Value;

/// The key under which most parameters are, as JSON.
const NESTED: &str = "params";

/// Flat: clients give `params` as JSON in any order and spacing, and numbers as numbers or as text.
pub(super) fn flat(params: &[KeyValuePair]) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for KeyValuePair { key, value } in params {
        match serde_json::from_str::<Value>(value) {
            Ok(Value::Object(nested)) if key == NESTED => {
                flat.extend(nested.into_iter().map(|(key, value)| (key, text(&value))));
            }
            _ => drop(flat.insert(key.clone(), value.clone())),
        }
    }
    flat
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The keys that differ.
pub(super) fn differing<'a>(
    one: &'a BTreeMap<String, String>,
    other: &'a BTreeMap<String, String>,
) -> Vec<&'a str> {
    let mut keys: Vec<&str> = one.keys().chain(other.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| one.get(*key) != other.get(*key));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<KeyValuePair> {
        pairs.iter().map(|(key, value)| KeyValuePair { key: (*key).into(), value: (*value).into() }).collect()
    }

    #[test]
    fn the_way_in_which_parameters_are_written_does_not_matter() {
        let one =
            flat(&pairs(&[("index_type", "HNSW"), ("params", "{\"M\": 8, \"efConstruction\": \"64\"}")]));
        let other = flat(&pairs(&[("efConstruction", "64"), ("M", "8"), ("index_type", "HNSW")]));
        assert_eq!(one, other);
        assert!(differing(&one, &other).is_empty());
        let third = flat(&pairs(&[("index_type", "FLAT"), ("params", "{}")]));
        assert_eq!(differing(&one, &third), ["M", "efConstruction", "index_type"]);
    }

    #[test]
    fn params_that_are_no_json_are_taken_as_they_are() {
        assert_eq!(flat(&pairs(&[("params", "odd")]))["params"], "odd");
        assert_eq!(flat(&pairs(&[("nlist", "[1]")]))["nlist"], "[1]");
    }
}
