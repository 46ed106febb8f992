//! The line of a probe sample: nearly all lines are of this kind, so it is short, and read without a tree of values.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};

use crate::domain::{ProbeFailure, ProbeOutcome};

/// `[after, uplink, class, target, address, ago, outcome, service time]`; the last one only where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SampleLine {
    /// When it became known: milliseconds after the line before.
    pub after_ms: u64,
    /// Number of the uplink.
    pub uplink: u16,
    /// Number of the class.
    pub class: u16,
    /// Position of the target in the list of the class.
    pub target: u16,
    /// Number of the address.
    pub address: Option<u16>,
    /// How long before that it was sent, in milliseconds.
    pub ago_ms: u64,
    /// Round-trip time in microseconds, or a word.
    pub outcome: ProbeOutcome,
    /// Microseconds.
    pub service_time: Option<Duration>,
}

/// The word for [`ProbeOutcome::Overdue`].
const OVERDUE: &str = "overdue";

/// Longest time that is read, in microseconds: no probe waits for an hour.
const LONGEST: u64 = 3_600_000_000;

impl SampleLine {
    /// Appends it, without the end of the line.
    pub fn write(&self, to: &mut String) {
        let Self { after_ms, uplink, class, target, ago_ms, .. } = self;
        // Writing to a string cannot fail.
        let _ = write!(to, "[{after_ms},{uplink},{class},{target},");
        let _ = match self.address {
            Some(address) => write!(to, "{address}"),
            None => write!(to, "null"),
        };
        let _ = match self.outcome {
            ProbeOutcome::Answered(rtt) => write!(to, ",{ago_ms},{}", rtt.as_micros()),
            ProbeOutcome::Failed(failure) => write!(to, ",{ago_ms},\"{}\"", failure.as_str()),
            ProbeOutcome::Overdue => write!(to, ",{ago_ms},\"{OVERDUE}\""),
        };
        if let Some(service_time) = self.service_time {
            let _ = write!(to, ",{}", service_time.as_micros());
        }
        to.push(']');
    }
}

impl<'de> Deserialize<'de> for SampleLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = SampleLine;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample: [after, uplink, class, target, address, ago, outcome]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SampleLine, A::Error> {
        let missing = || A::Error::custom("a sample has seven fields");
        let line = SampleLine {
            after_ms: seq.next_element()?.ok_or_else(missing)?,
            uplink: seq.next_element()?.ok_or_else(missing)?,
            class: seq.next_element()?.ok_or_else(missing)?,
            target: seq.next_element()?.ok_or_else(missing)?,
            address: seq.next_element()?.ok_or_else(missing)?,
            ago_ms: seq.next_element()?.ok_or_else(missing)?,
            outcome: seq.next_element::<Outcome>()?.ok_or_else(missing)?.0,
            service_time: seq.next_element::<Option<u64>>()?.flatten().map(microseconds).transpose()?,
        };
        // What later versions may add.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(line)
    }
}

struct Outcome(ProbeOutcome);

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OutcomeVisitor)
    }
}

struct OutcomeVisitor;

impl Visitor<'_> for OutcomeVisitor {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a round-trip time in microseconds, or what went wrong")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Outcome, E> {
        microseconds(value).map(ProbeOutcome::Answered).map(Outcome)
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Outcome, E> {
        if word == OVERDUE {
            return Ok(Outcome(ProbeOutcome::Overdue));
        }
        let known = ProbeFailure::ALL.into_iter().find(|failure| failure.as_str() == word);
        known.map(|failure| Outcome(ProbeOutcome::Failed(failure))).ok_or_else(|| E::custom("an unknown outcome"))
    }
}

fn microseconds<E: Error>(value: u64) -> Result<Duration, E> {
    if value > LONGEST {
        return Err(E::custom("no probe takes that long"));
    }
    Ok(Duration::from_micros(value))
}
