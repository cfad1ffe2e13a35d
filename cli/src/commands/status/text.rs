//! Small texts of the screen: ages, sizes, tables.

use serde_json::Value;

/// Columns of a table; numbers stand on the right.
pub struct Column {
    title: &'static str,
    right: bool,
}

/// A column of text.
pub const fn left(title: &'static str) -> Column {
    Column { title, right: false }
}

/// A column of numbers.
pub const fn right(title: &'static str) -> Column {
    Column { title, right: true }
}

/// Lines of equal columns, as wide as their widest entry.
pub fn table(columns: &[Column], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    let width = |index: usize| {
        let lengths = rows.iter().chain([&titles]).filter_map(|row| Some(row.get(index)?.chars().count()));
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(columns).zip(&widths);
        let cells: Vec<String> = cells
            .map(
                |((text, column), width)| {
                    if column.right { format!("{text:>width$}") } else { format!("{text:width$}") }
                },
            )
            .collect();
        format!("  {}\n", cells.join("  ")).replace(" \n", "\n")
    };
    let trimmed = |row| format!("{}\n", line(row).trim_end());
    trimmed(&titles) + &rows.iter().map(trimmed).collect::<String>()
}

/// A value as people read it; `-` where there is none.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first characters of an id.
pub fn short(value: &Value) -> String {
    plain(value).chars().take(8).collect()
}

/// A duration in milliseconds: `120 ms`, `4.2 s`, `3 min`, `5 h`, `2 d`.
pub fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{}.{} s", ms / 1_000, ms / 100 % 10),
        100_000..6_000_000 => format!("{} min", ms / 60_000),
        6_000_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// Time since a moment in unix milliseconds; `-` where there is none.
pub fn ago(value: &Value, now_ms: u64) -> String {
    value.as_u64().filter(|then| *then > 0).map_or("-".to_owned(), |then| span(now_ms.saturating_sub(then)))
}

/// Seconds with a fraction, as a duration; `-` where there are none.
pub fn seconds(value: &Value) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a lag is neither negative nor huge"
    )]
    let ms = value.as_f64().map(|seconds| (seconds * 1_000.0) as u64);
    ms.map_or("-".to_owned(), span)
}

/// Bytes: `0 B`, `812 B`, `1.5 MB`.
pub fn bytes(value: &Value) -> String {
    let count = value.as_u64().unwrap_or(0);
    match count {
        0..10_000 => format!("{count} B"),
        10_000..1_000_000 => format!("{} kB", count / 1_000),
        1_000_000..10_000_000_000 => format!("{}.{} MB", count / 1_000_000, count / 100_000 % 10),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_and_sizes_are_short() {
        let spans = [0, 999, 1_250, 99_999, 100_000, 7_200_000, 999_999_999].map(span);
        assert_eq!(spans, ["0 ms", "999 ms", "1.2 s", "99.9 s", "1 min", "2 h", "11 d"]);
        assert_eq!(
            [json!(12), json!(1_500_000), json!(20_000)].map(|n| bytes(&n)),
            ["12 B", "1.5 MB", "20 kB"]
        );
        assert_eq!((ago(&json!(400), 1_000), ago(&Value::Null, 5)), ("600 ms".to_owned(), "-".to_owned()));
        assert_eq!(seconds(&json!(0.25)), "250 ms");
    }

    #[test]
    fn a_table_has_equal_columns_and_no_blanks_at_the_end() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["long name".to_owned(), "100".to_owned()]];
        assert_eq!(
            table(&[left("NAME"), right("N")], &rows),
            "  NAME         N\n  a            1\n  long name  100\n"
        );
        assert_eq!(
            table(&[left("NAME"), left("X")], &[vec!["a".to_owned(), String::new()]]),
            "  NAME  X\n  a\n"
        );
    }
}
