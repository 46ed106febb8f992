//! What the demo measured, as data.

use std::time::Duration;

use crate::GapReport;
use serde::Serialize;

/// Outcome of one step.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    #[serde(rename = "step")]
    pub(super) letter: char,
    pub(super) title: &'static str,
    pub(super) ok: bool,
    pub(super) seconds: f64,
    /// ISP by which Microsoft traffic left at the end of the step.
    pub(super) path: Option<String>,
    /// The agent's words for it.
    pub(super) reason: Option<String>,
    /// Longest time without an answer during the step's event.
    pub(super) gap_ms: Option<f64>,
    /// Requests lost during the step's event.
    pub(super) lost_packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
}

impl Step {
    pub(super) fn new(letter: char, title: &'static str) -> Self {
        Self {
            letter,
            title,
            ok: true,
            seconds: 0.0,
            path: None,
            reason: None,
            gap_ms: None,
            lost_packets: None,
            failure: None,
        }
    }

    pub(super) fn measured(&mut self, report: GapReport) {
        self.gap_ms = Some(milliseconds(report.longest_gap));
        self.lost_packets = Some(report.lost);
    }
}

/// The whole demo.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Summary {
    pub(super) ok: bool,
    pub(super) carrier_gap_ms: Option<f64>,
    pub(super) blackhole_gap_ms: Option<f64>,
    pub(super) dead_agent_gap_ms: Option<f64>,
    pub(super) restart_lost_packets: Option<u64>,
    pub(super) samples_reported: Option<u64>,
    pub(super) seconds: f64,
    pub(super) steps: Vec<Step>,
}

impl Summary {
    /// Judges it: every one of `expected` steps was played and did what it should.
    pub(super) fn finish(&mut self, expected: usize, took: Duration) {
        self.ok = self.steps.len() == expected && self.steps.iter().all(|step| step.ok);
        self.seconds = seconds(took);
    }
}

/// Milliseconds to one decimal.
pub(super) fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Seconds to one decimal.
pub(super) fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 10.0).round() / 10.0
}
