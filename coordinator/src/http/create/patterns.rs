//! Names and patterns of databases and collections: what is one, and what it selects.

use globset::{GlobBuilder, GlobMatcher};

use crate::http::answer::ApiError;

/// Longest name of a database or collection, in characters.
const NAME_LENGTH_MAX: usize = 256;

/// Whether `name` selects by pattern. No Milvus name contains one of these characters.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{', '\\'])
}

/// Checks a name or pattern. `what` is "collection" or "db".
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    if name.trim().is_empty() {
        return Err(ApiError::refused(format!(
            "there is a {what} name that is empty: write a name, a pattern or *"
        )));
    }
    if name.chars().count() > NAME_LENGTH_MAX {
        let start: String = name.chars().take(32).collect();
        return Err(ApiError::refused(format!(
            "there is a {what} name whose length exceeds {NAME_LENGTH_MAX} characters, it begins with '{start}'"
        )));
    }
    matcher(what, name).map(drop)
}

/// As [`check_name`], for places where a pattern makes no sense.
pub(crate) fn check_plain_name(what: &str, name: &str) -> Result<(), ApiError> {
    check_name(what, name)?;
    if is_pattern(name) {
        return Err(ApiError::refused(format!("the {what} name '{name}' is a pattern: write one name here")));
    }
    Ok(())
}

fn matcher(what: &str, pattern: &str) -> Result<GlobMatcher, ApiError> {
    let refused = |error: globset::Error| {
        ApiError::refused(format!("the {what} pattern '{pattern}' is not valid: {}", error.kind()))
    };
    Ok(GlobBuilder::new(pattern).build().map_err(refused)?.compile_matcher())
}

/// Whether `pattern` (or plain name) selects `name`.
pub(crate) fn selects(pattern: &str, name: &str) -> bool {
    if is_pattern(pattern) {
        matcher("", pattern).is_ok_and(|glob| glob.is_match(name))
    } else {
        pattern == name
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{check_name, check_plain_name, selects};

    #[test]
    fn names() {
        check_name("collection", "orders").unwrap();
        check_name("collection", "集合_*").unwrap();
        check_name("collection", &"a".repeat(256)).unwrap();
        check_name("collection", &"集".repeat(256)).unwrap();
        for wrong in [String::new(), "  ".into(), "a".repeat(257), "orders_[".into()] {
            check_name("collection", &wrong).unwrap_err();
        }
        check_plain_name("db", "orders_*").unwrap_err();
    }

    #[test]
    fn selection() {
        assert!(selects("*", "anything"));
        assert!(selects("orders_*", "orders_2026"));
        assert!(!selects("orders_*", "order"));
        assert!(selects("orders", "orders"));
        assert!(!selects("orders", "orders2"));
        assert!(selects("{orders,users}_?", "users_1"));
    }
}
