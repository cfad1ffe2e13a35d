//! Whether two name patterns can select the same name. Answers "yes" where it cannot tell.

/// One step of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Any number of characters.
    Any,
    /// One character, whichever it is.
    One,
    /// This character.
    Exactly(char),
}

/// Whether the pattern is a plain name.
pub(super) fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '[', '{', '\\'])
}

/// Whether some name is selected by both. A character class counts as any character, alternatives as any text.
pub(super) fn intersect(left: &str, right: &str) -> bool {
    if is_literal(left) && is_literal(right) {
        return left == right;
    }
    let (left, right) = (tokens(left), tokens(right));
    // `row[j]`: what is left of `left` from the current token on and of `right` from `j` on have a common match.
    let mut row = vec![false; right.len() + 1];
    for i in (0..=left.len()).rev() {
        let below = row.clone();
        for j in (0..=right.len()).rev() {
            row[j] = match (left.get(i), right.get(j)) {
                (None, None) => true,
                (Some(Token::Any), None) => below[j],
                (None, Some(Token::Any)) => row[j + 1],
                (Some(Token::Any), Some(_)) | (Some(_), Some(Token::Any)) => below[j] || row[j + 1],
                (Some(a), Some(b)) => below[j + 1] && (a == b || *a == Token::One || *b == Token::One),
                (Some(_), None) | (None, Some(_)) => false,
            };
        }
    }
    row[0]
}

/// Whether everything that `pattern` selects is surely selected by `cover` too.
pub(super) fn covers(cover: &str, pattern: &str) -> bool {
    if cover == "*" || cover == pattern {
        return true;
    }
    if is_literal(pattern) {
        // With a class, alternatives or an escape, `intersect` may say yes too easily.
        return !cover.contains(['[', '{', '\\']) && intersect(cover, pattern);
    }
    match cover.strip_suffix('*') {
        Some(prefix) if is_literal(prefix) => literal_prefix(pattern).starts_with(prefix),
        _ => false,
    }
}

fn literal_prefix(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
    &pattern[..end]
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        let token = match character {
            '*' => Token::Any,
            '?' => Token::One,
            '[' => match skip_past(&mut rest, ']') {
                true => Token::One,
                false => Token::Any,
            },
            '{' => {
                skip_past(&mut rest, '}');
                Token::Any
            }
            '\\' => rest.next().map_or(Token::Any, Token::Exactly),
            other => Token::Exactly(other),
        };
        if !(token == Token::Any && tokens.last() == Some(&Token::Any)) {
            tokens.push(token);
        }
    }
    tokens
}

/// Skips up to and including `end`; false when there is none (then the rest is gone, and counts as any text).
fn skip_past(rest: &mut std::str::Chars<'_>, end: char) -> bool {
    rest.by_ref().any(|character| character == end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::super::fixtures::matches;
    use super::*;

    #[test]
    fn examples() {
        for (left, right, expected) in [
            ("orders", "orders", true),
            ("orders", "order", false),
            ("*", "orders", true),
            ("orders_*", "orders_2024", true),
            ("orders_*", "orders", false),
            ("orders_*", "*_2024", true),
            ("a*b", "a*c", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a[xy]", "ab", true),
            ("{a,b}c", "zc", true),
            ("*", "*", true),
            ("*", "", true),
            ("?", "*", true),
        ] {
            assert_eq!(intersect(left, right), expected, "{left} {right}");
            assert_eq!(intersect(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn covering() {
        for (cover, pattern, expected) in [
            ("*", "a*", true),
            ("orders", "orders", true),
            ("orders_*", "orders_1", true),
            ("orders_*", "orders_2024_*", true),
            ("orders_*", "orders*", false),
            ("[a]", "b", false),
            ("orders", "orders*", false),
            ("o?ders", "orders", true),
        ] {
            assert_eq!(covers(cover, pattern), expected, "{cover} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_common_name_is_never_missed(left in "[ab*?]{0,5}", right in "[ab*?]{0,5}", name in "[ab]{0,5}") {
            let (matches_left, matches_right) = (matches(&left, &name), matches(&right, &name));
            if matches_left && matches_right {
                prop_assert!(intersect(&left, &right));
            }
            if matches_right && !matches_left {
                prop_assert!(!covers(&left, &right));
            }
        }
    }
}
