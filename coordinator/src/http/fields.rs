//! Typed readers for the members of a JSON object. Every error names the field, what was found and what was expected,
//! and never quotes the value: it may be a password that was put into the wrong field.
//!
//! Field names match case-insensitively, `null` counts as absent, and unknown fields are ignored, as clients rely on.

use serde_json::{Map, Value};

/// A field that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FieldError {
    /// A value of the wrong type.
    #[error("'{field}' is {found}, expected {expected}")]
    Kind {
        /// Full path, such as `milvus_connect_param.port`.
        field: String,
        /// What kind of value was there.
        found: &'static str,
        /// What kind was expected.
        expected: &'static str,
    },
    /// The same field twice, in different case.
    #[error("'{field}' is given twice (field names are compared without case): keep one of them")]
    Twice {
        /// Full path.
        field: String,
    },
}

/// The kind of a value, for people.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Whole numbers. `19530.0` is one: some clients know only floating point.
fn integer_of(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_number()?;
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        Some(float as i64)
    })
}

/// One object of the request and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    path: String,
    members: Option<&'a Map<String, Value>>,
}

impl<'a> Fields<'a> {
    /// The outermost object; its fields are named without a prefix.
    pub(crate) fn root(members: &'a Map<String, Value>) -> Self {
        Fields { path: String::new(), members: Some(members) }
    }

    /// Reads `value`, found at `path`, as an object.
    pub(crate) fn of(path: String, value: &'a Value) -> Result<Self, FieldError> {
        match value {
            Value::Object(members) => Ok(Fields { path, members: Some(members) }),
            Value::Null => Ok(Fields { path, members: None }),
            other => Err(FieldError::Kind { field: path, found: kind_of(other), expected: "an object" }),
        }
    }

    /// The same object, its fields named without a prefix.
    pub(crate) fn into_root(self) -> Self {
        Fields { path: String::new(), ..self }
    }

    /// Full path of a member, for messages.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn find(&self, name: &str) -> Result<Option<&'a Value>, FieldError> {
        let Some(members) = self.members else { return Ok(None) };
        let mut matching = members.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let first = matching.next();
        if matching.next().is_some() {
            return Err(FieldError::Twice { field: self.path_of(name) });
        }
        Ok(first.map(|(_, value)| value).filter(|value| !value.is_null()))
    }

    fn wrong(&self, name: &str, value: &Value, expected: &'static str) -> FieldError {
        FieldError::Kind { field: self.path_of(name), found: kind_of(value), expected }
    }

    /// A string; empty when absent.
    pub(crate) fn string(&self, name: &str) -> Result<String, FieldError> {
        match self.find(name)? {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.wrong(name, other, "a string")),
        }
    }

    /// A boolean; false when absent.
    pub(crate) fn boolean(&self, name: &str) -> Result<bool, FieldError> {
        match self.find(name)? {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(self.wrong(name, other, "a boolean")),
        }
    }

    /// A whole number; `None` when absent.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, FieldError> {
        let Some(value) = self.find(name)? else { return Ok(None) };
        integer_of(value).map(Some).ok_or_else(|| self.wrong(name, value, "an integer"))
    }

    /// An object; one without members when absent.
    pub(crate) fn object(&self, name: &str) -> Result<Fields<'a>, FieldError> {
        let path = self.path_of(name);
        match self.find(name)? {
            None => Ok(Fields { path, members: None }),
            Some(value) => Fields::of(path, value),
        }
    }

    /// A list of objects; empty when absent.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>, FieldError> {
        match self.find(name)? {
            None => Ok(Vec::new()),
            Some(value) => objects_of(&self.path_of(name), value),
        }
    }

    /// A list of strings; empty when absent.
    pub(crate) fn strings(&self, name: &str) -> Result<Vec<String>, FieldError> {
        let Some(value) = self.find(name)? else { return Ok(Vec::new()) };
        let Value::Array(items) = value else { return Err(self.wrong(name, value, "an array of strings")) };
        let path = self.path_of(name);
        let read = |(index, item): (usize, &Value)| match item {
            Value::String(text) => Ok(text.clone()),
            other => Err(FieldError::Kind {
                field: format!("{path}[{index}]"),
                found: kind_of(other),
                expected: "a string",
            }),
        };
        items.iter().enumerate().map(read).collect()
    }

    /// An object whose keys are data (database names, channels) and keep their case: path, key and value of each.
    pub(crate) fn entries(&self, name: &str) -> Result<Vec<(String, &'a str, &'a Value)>, FieldError> {
        match self.find(name)? {
            None => Ok(Vec::new()),
            Some(Value::Object(members)) => {
                let path = self.path_of(name);
                Ok(members
                    .iter()
                    .map(|(key, value)| (format!("{path}.{key}"), key.as_str(), value))
                    .collect())
            }
            Some(other) => Err(self.wrong(name, other, "an object")),
        }
    }

    /// As [`Self::entries`], with strings as values.
    pub(crate) fn string_entries(&self, name: &str) -> Result<Vec<(String, String)>, FieldError> {
        let read = |(path, key, value): (String, &'a str, &'a Value)| match value {
            Value::String(text) => Ok((key.to_owned(), text.clone())),
            other => Err(FieldError::Kind { field: path, found: kind_of(other), expected: "a string" }),
        };
        self.entries(name)?.into_iter().map(read).collect()
    }
}

/// Reads `value`, found at `path`, as a list of objects.
pub(crate) fn objects_of<'a>(path: &str, value: &'a Value) -> Result<Vec<Fields<'a>>, FieldError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => {
            let read = |(index, item): (usize, &'a Value)| match item {
                Value::Null => Err(FieldError::Kind {
                    field: format!("{path}[{index}]"),
                    found: "null",
                    expected: "an object",
                }),
                item => Fields::of(format!("{path}[{index}]"), item),
            };
            items.iter().enumerate().map(read).collect()
        }
        other => Err(FieldError::Kind {
            field: path.to_owned(),
            found: kind_of(other),
            expected: "an array of objects",
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::Fields;

    #[test]
    fn reads_without_case_and_treats_null_as_absent() {
        let value =
            json!({"Task_ID": "x", "port": 19530.0, "on": true, "gone": null, "param": {"HOST": "h"}});
        let fields = Fields::root(value.as_object().unwrap());
        assert_eq!(fields.string("task_id").unwrap(), "x");
        assert_eq!(fields.integer("port").unwrap(), Some(19530));
        assert!(fields.boolean("on").unwrap());
        assert_eq!(fields.string("gone").unwrap(), "");
        assert_eq!(fields.integer("absent").unwrap(), None);
        assert_eq!(fields.object("param").unwrap().string("host").unwrap(), "h");
    }

    #[test]
    fn errors_name_the_field_the_kind_and_what_was_expected() {
        let value = json!({
            "a": {"b": [{"c": 5}, 7], "flag": "yes", "n": 1.5, "big": 1e300, "names": ["x", false], "m": {"k": []}},
            "x": 1, "X": 2
        });
        let root = Fields::root(value.as_object().unwrap());
        let a = root.object("a").unwrap();
        assert_eq!(a.objects("b").unwrap_err().to_string(), "'a.b[1]' is a number, expected an object");
        assert_eq!(a.boolean("flag").unwrap_err().to_string(), "'a.flag' is a string, expected a boolean");
        assert_eq!(
            a.integer("n").unwrap_err().to_string(),
            "'a.n' is a number with a fraction, expected an integer"
        );
        assert!(a.integer("big").is_err());
        assert_eq!(
            a.strings("names").unwrap_err().to_string(),
            "'a.names[1]' is a boolean, expected a string"
        );
        assert_eq!(a.string_entries("m").unwrap_err().to_string(), "'a.m.k' is an array, expected a string");
        assert!(root.integer("x").unwrap_err().to_string().contains("given twice"));
    }
}
