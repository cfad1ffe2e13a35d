//! Primary keys, their order, and expressions that select by them. Pure.

use std::fmt;

/// A primary key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Int(i64),
    Text(String),
}

impl fmt::Display for Key {
    /// As it stands in an expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(key) => write!(f, "{key}"),
            Self::Text(key) => write!(f, "{}", serde_json::Value::from(key.as_str())),
        }
    }
}

/// What is above `after` (all, without it) and not above `until`.
pub(super) fn between(field: &str, is_text: bool, after: Option<&Key>, until: Option<&Key>) -> String {
    let everything =
        || if is_text { format!("{field} >= \"\"") } else { format!("{field} < 0 || {field} >= 0") };
    match (after, until) {
        (None, None) => everything(),
        (Some(after), None) => format!("{field} > {after}"),
        (None, Some(until)) => format!("{field} <= {until}"),
        (Some(after), Some(until)) => format!("{field} > {after} && {field} <= {until}"),
    }
}

/// One of these.
pub(super) fn one_of<'a>(field: &str, keys: impl IntoIterator<Item = &'a Key>) -> String {
    let keys: Vec<String> = keys.into_iter().map(Key::to_string).collect();
    format!("{field} in [{}]", keys.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_as_the_server_reads_them() {
        let (five, nine) = (Key::Int(5), Key::Int(9));
        assert_eq!(between("id", false, None, None), "id < 0 || id >= 0");
        assert_eq!(between("id", false, Some(&five), None), "id > 5");
        assert_eq!(between("id", false, Some(&five), Some(&nine)), "id > 5 && id <= 9");
        let text = Key::Text("a\"b".to_owned());
        assert_eq!(between("name", true, None, Some(&text)), r#"name <= "a\"b""#);
        assert_eq!(one_of("id", [&five, &nine]), "id in [5,9]");
    }
}
