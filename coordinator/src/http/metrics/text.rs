//! The Prometheus text format: families with HELP and TYPE, escaped labels, a bound on series.

use std::fmt::{Display, Write};

/// What a family's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Goes up, and back to zero at a restart.
    Counter,
    /// Buckets, a sum and a count.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        }
    }
}

/// A label's name and value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// Collects one scrape.
#[derive(Debug)]
pub(super) struct Exposition {
    text: String,
    series_max: usize,
    dropped: u64,
}

impl Exposition {
    /// At most `series_max` series per family; the others are counted, not shown.
    pub(super) fn new(series_max: usize) -> Self {
        Exposition { text: String::new(), series_max, dropped: 0 }
    }

    /// Begins a family. Its samples must follow before the next family begins.
    pub(super) fn family<'a>(&'a mut self, name: &'static str, kind: Kind, help: &str) -> Family<'a> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        Family { name, series: 0, exposition: self }
    }

    /// A family with one series that has no labels.
    pub(super) fn single(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// How many series were left out.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// One family being written.
#[derive(Debug)]
pub(super) struct Family<'a> {
    name: &'static str,
    series: usize,
    exposition: &'a mut Exposition,
}

impl Family<'_> {
    /// One series.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.sample_with_suffix("", labels, value);
    }

    /// One series of a histogram: `_bucket`, `_sum`, `_count`.
    pub(super) fn sample_with_suffix(&mut self, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        if self.series >= self.exposition.series_max {
            self.exposition.dropped += 1;
            return;
        }
        self.series += 1;
        let text = &mut self.exposition.text;
        text.push_str(self.name);
        text.push_str(suffix);
        for (index, (label, value)) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            text.push_str(label);
            text.push_str("=\"");
            push_escaped(text, value);
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

fn push_escaped(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exposition, Kind};

    #[test]
    fn format() {
        let mut exposition = Exposition::new(2);
        exposition.single("a", Kind::Gauge, "what it is\nin two lines", 1.5);
        let mut family = exposition.family("b_total", Kind::Counter, "counted");
        family.sample(&[("x", "quote \" back \\ line\n名"), ("y", "")], 3u64);
        family.sample(&[("x", "2")], 4u64);
        family.sample(&[("x", "3")], 5u64);
        assert_eq!(exposition.dropped(), 1);
        assert_eq!(
            exposition.finish(),
            "# HELP a what it is\\nin two lines\n# TYPE a gauge\na 1.5\n\
             # HELP b_total counted\n# TYPE b_total counter\n\
             b_total{x=\"quote \\\" back \\\\ line\\n名\",y=\"\"} 3\nb_total{x=\"2\"} 4\n"
        );
    }
}
