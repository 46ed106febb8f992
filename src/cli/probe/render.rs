//! Pure: how probes are shown, to people and to scripts.

use std::{fmt::Write as _, net::IpAddr};

use serde_json::{Map, Value, json};

use super::tally::Tally;
use crate::{
    cli::figures::{count, fine_milliseconds, percent},
    domain::{Host, ProbeOutcome, Target, view::rounded_milliseconds},
    probe::Measured,
};

/// What every line is about.
#[derive(Debug)]
pub struct Shown<'a> {
    pub uplink: &'a str,
    pub interface: &'a str,
    pub target: &'a Target,
    pub address: IpAddr,
    /// One JSON object a line.
    pub json: bool,
}

impl Shown<'_> {
    /// Before the first probe; nothing in JSON.
    pub fn head(&self) -> String {
        if self.json {
            return String::new();
        }
        let by = if self.uplink == self.interface { String::new() } else { format!(" ({})", self.interface) };
        format!("{} through {}{by}\n", self.place(), self.uplink)
    }

    fn place(&self) -> String {
        match self.target.host {
            Host::Address(_) => self.target.to_string(),
            Host::Name(_) => format!("{} at {}", self.target, self.address),
        }
    }

    /// One probe.
    pub fn line(&self, sequence: u64, measured: Measured) -> String {
        if self.json {
            return self.line_of_json(sequence, measured);
        }
        let outcome = match measured.outcome {
            ProbeOutcome::Answered(rtt) => fine_milliseconds(Some(rtt)),
            ProbeOutcome::Failed(failure) => failure.to_string(),
            ProbeOutcome::Overdue => "overdue".to_owned(),
        };
        let service = measured.service_time.map(|time| format!(", service {}", fine_milliseconds(Some(time))));
        format!("{sequence:>4}  {outcome}{}\n", service.unwrap_or_default())
    }

    fn line_of_json(&self, sequence: u64, measured: Measured) -> String {
        let mut object = self.facts();
        let outcome = match measured.outcome {
            ProbeOutcome::Answered(_) => "answered",
            ProbeOutcome::Failed(failure) => failure.as_str(),
            ProbeOutcome::Overdue => "overdue",
        };
        object.insert("sequence".to_owned(), json!(sequence));
        object.insert("outcome".to_owned(), json!(outcome));
        object.insert("rtt_ms".to_owned(), json!(measured.outcome.rtt().map(rounded_milliseconds)));
        object.insert("service_ms".to_owned(), json!(measured.service_time.map(rounded_milliseconds)));
        format!("{}\n", Value::Object(object))
    }

    /// All of them.
    pub fn summary(&self, tally: &Tally) -> String {
        if self.json {
            return self.summary_of_json(tally);
        }
        let mut text = format!(
            "\n{}: {} sent, {} answered, {} lost",
            self.place(),
            count(tally.sent(), "probe", "probes"),
            tally.answered(),
            percent(tally.loss())
        );
        // Writing to a string cannot fail.
        for (place, (failure, times)) in tally.failures().iter().enumerate() {
            let _ = write!(text, "{}{times} {failure}", if place == 0 { " (" } else { ", " });
        }
        text.push_str(if tally.failures().is_empty() { "\n" } else { ")\n" });
        if tally.answered() > 0 {
            let figures = [
                ("min", tally.min()),
                ("median", tally.percentile(50)),
                ("p95", tally.percentile(95)),
                ("max", tally.max()),
                ("jitter", tally.jitter()),
            ];
            let figures = figures.map(|(name, value)| format!("{name} {}", fine_milliseconds(value)));
            let _ = writeln!(text, "{}", figures.join(", "));
        }
        text
    }

    fn summary_of_json(&self, tally: &Tally) -> String {
        let failures = tally.failures().iter().map(|(failure, times)| (failure.as_str().to_owned(), json!(times)));
        let mut object = self.facts();
        object.extend([
            ("sent".to_owned(), json!(tally.sent())),
            ("answered".to_owned(), json!(tally.answered())),
            ("loss_ratio".to_owned(), json!(tally.loss())),
            ("failures".to_owned(), Value::Object(failures.collect())),
            ("rtt_min_ms".to_owned(), json!(tally.min().map(rounded_milliseconds))),
            ("rtt_ms".to_owned(), json!(tally.percentile(50).map(rounded_milliseconds))),
            ("rtt_p95_ms".to_owned(), json!(tally.percentile(95).map(rounded_milliseconds))),
            ("rtt_max_ms".to_owned(), json!(tally.max().map(rounded_milliseconds))),
            ("jitter_ms".to_owned(), json!(tally.jitter().map(rounded_milliseconds))),
        ]);
        format!("{}\n", json!({ "summary": object }))
    }

    fn facts(&self) -> Map<String, Value> {
        let kind = self.target.check.kind();
        let facts = [
            ("uplink", json!(self.uplink)),
            ("target", json!(self.target.to_string())),
            ("kind", json!(kind)),
            ("address", json!(self.address)),
        ];
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{config, domain::ProbeFailure};

    fn answered(microseconds: u64, service: Option<u64>) -> Measured {
        let outcome = ProbeOutcome::Answered(Duration::from_micros(microseconds));
        Measured { outcome, service_time: service.map(Duration::from_micros) }
    }

    fn all(json: bool) -> String {
        let target = config::target("tls:outlook.office365.com", 443).unwrap();
        let address = "52.96.0.1".parse().unwrap();
        let shown = Shown { uplink: "fibre", interface: "wan0", target: &target, address, json };
        let mut tally = Tally::default();
        let silence = Measured { outcome: ProbeOutcome::Failed(ProbeFailure::Timeout), service_time: None };
        let portal = Measured { outcome: ProbeOutcome::Failed(ProbeFailure::Untrusted), service_time: None };
        let mut text = shown.head();
        for measured in [answered(12_345, Some(40_000)), answered(11_000, Some(39_000)), silence, portal] {
            tally.add(measured);
            text.push_str(&shown.line(tally.sent(), measured));
        }
        text + &shown.summary(&tally)
    }

    #[test]
    fn people_see_each_probe_and_what_all_come_to() {
        let expected = "\
tls:outlook.office365.com:443 at 52.96.0.1 through fibre (wan0)
   1  12.35 ms, service 40.00 ms
   2  11.00 ms, service 39.00 ms
   3  no answer
   4  answered by someone who is not the target (captive portal or proxy)

tls:outlook.office365.com:443 at 52.96.0.1: 4 probes sent, 2 answered, 50.0 % lost (1 no answer, 1 answered by someone \
who is not the target (captive portal or proxy))
min 11.00 ms, median 11.00 ms, p95 12.35 ms, max 12.35 ms, jitter 1.34 ms
";
        assert_eq!(all(false), expected);
    }

    #[test]
    fn scripts_see_one_object_a_line_and_the_summary_last() {
        let text = all(true);
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 5);
        assert_eq!(
            lines[0],
            json!({
                "uplink": "fibre", "target": "tls:outlook.office365.com:443", "kind": "tls", "address": "52.96.0.1",
                "sequence": 1, "outcome": "answered", "rtt_ms": 12.345, "service_ms": 40.0
            })
        );
        assert_eq!(lines[3]["outcome"], "untrusted");
        let summary = &lines[4]["summary"];
        assert_eq!(summary["failures"], json!({ "timeout": 1, "untrusted": 1 }));
        assert_eq!((&summary["rtt_ms"], &summary["loss_ratio"]), (&json!(11.0), &json!(0.5)));
    }
}
