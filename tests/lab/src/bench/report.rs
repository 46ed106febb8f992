//! What was measured: rows for people, JSON lines for machines, and at the end the flat summary.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

/// Speaks on standard output.
pub(super) struct Report {
    json: bool,
    part: String,
    figures: BTreeMap<&'static str, Option<f64>>,
}

/// One thing that was measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// What was measured.
    pub(super) subject: String,
    /// Median.
    pub(super) took: Option<Duration>,
    /// How many times.
    pub(super) repetitions: usize,
    /// Memory of the process that did it, in MiB.
    pub(super) rss_mib: Option<f64>,
    /// Compared with Peerward in the same run, and whatever else is worth saying.
    pub(super) note: String,
}

impl Report {
    /// One whose summary has these keys; one that is not measured is null.
    pub(super) fn new(json: bool, figures: &[&'static str]) -> Self {
        Self { json, part: String::new(), figures: figures.iter().map(|name| (*name, None)).collect() }
    }

    /// The next benchmark begins.
    pub(super) fn part(&mut self, name: &str, title: &str) {
        name.clone_into(&mut self.part);
        if !self.json {
            println!("\n{title}");
            println!("  {:<60} {:>11} {:>4} {:>9}  note", "", "median", "n", "RSS");
        }
    }

    pub(super) fn row(&mut self, row: &Row) {
        let Row { subject, took, repetitions, rss_mib, note } = row;
        if self.json {
            let micros = took.map(|took| rounded(took.as_secs_f64() * 1e6));
            self.line(&json!({
                "part": self.part, "subject": subject, "median_us": micros, "repetitions": repetitions,
                "rss_mib": rss_mib.map(rounded), "note": note,
            }));
        } else {
            let took = took.map(written);
            let rss = rss_mib.map(|rss| format!("{rss:.1} MiB")).unwrap_or_default();
            let repetitions = took.as_ref().map(|_| repetitions.to_string()).unwrap_or_default();
            println!("  {subject:<60} {:>11} {repetitions:>4} {rss:>9}  {note}", took.unwrap_or_default());
        }
    }

    /// Something that could not be measured, and why.
    pub(super) fn missing(&mut self, subject: &str, reason: &str) {
        self.row(&Row { subject: subject.to_owned(), note: reason.to_owned(), ..Row::default() });
    }

    /// A figure of the summary.
    pub(super) fn figure(&mut self, name: &'static str, value: f64) {
        self.figures.insert(name, Some(rounded(value)));
    }

    /// Something else worth saying.
    pub(super) fn note(&mut self, text: &str) {
        if self.json {
            self.line(&json!({ "part": self.part, "note": text }));
        } else {
            println!("  {text}");
        }
    }

    pub(super) fn failure(&mut self, text: &str) {
        eprintln!("peerward-lab: {text}");
        if self.json {
            self.line(&json!({ "part": self.part, "failure": text }));
        }
    }

    pub(super) fn summary(&self) {
        if self.json {
            self.line(&json!(self.figures));
            return;
        }
        println!();
        for (name, value) in &self.figures {
            println!("  {name:<28} {}", value.map_or("not measured".to_owned(), |value| value.to_string()));
        }
    }

    #[allow(clippy::unused_self, reason = "only a report prints")]
    fn line(&self, value: &Value) {
        println!("{value}");
    }
}

/// Three significant digits say all that a benchmark knows.
fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let factor = 10_f64.powf(2.0 - value.abs().log10().floor());
    let rounded = (value * factor).round() / factor;
    if rounded.abs() >= 1000.0 { value.round() } else { rounded }
}

fn written(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        0.0..1_000.0 => format!("{micros:.0} µs"),
        1_000.0..1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// The middle one; of an even number the lower.
pub(super) fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// How many times longer `other` took than `ours`.
pub(super) fn ratio(other: Duration, ours: Duration) -> f64 {
    other.as_secs_f64() / ours.as_secs_f64().max(1e-9)
}
