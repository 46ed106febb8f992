//! A minute of lines that can be read without those before them, but for the head: it begins with the time, the wall clock
//! and what every uplink had, and numbers its own addresses. So a file can be cut between two of them.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::Duration,
};

use super::{
    attachment::Attached,
    line::{Line, milliseconds},
    sample_line::SampleLine,
};
use crate::domain::{BootTime, Family, ProbeSample, UplinkId};

/// What every uplink has, in each family that it carries, and why not more.
pub(super) type Attachments = BTreeMap<(UplinkId, Family), (Attached, String)>;

/// Most addresses that a batch numbers; the others are left out of its samples.
const MOST_ADDRESSES: usize = 4096;

/// Lines of about a minute.
#[derive(Debug)]
pub(super) struct Batch {
    text: String,
    /// Time of the last line, in milliseconds since boot.
    at_ms: u64,
    addresses: HashMap<SocketAddr, u16>,
    lines: u64,
}

impl Batch {
    /// An empty one.
    pub fn new(at: BootTime, wall: Duration, attachments: &Attachments) -> Self {
        let mut text = String::new();
        Line::Time(at).write(&mut text);
        Line::Clock(wall).write(&mut text);
        for ((uplink, family), (state, why)) in attachments {
            Line::Attachment(uplink.0, *family, *state, why.clone()).write(&mut text);
        }
        Self { text, at_ms: milliseconds(at.0), addresses: HashMap::new(), lines: 0 }
    }

    /// Adds a sample; `class` is its class's number.
    pub fn sample(&mut self, at: BootTime, class: u16, sample: &ProbeSample) {
        let address = sample.address.and_then(|address| self.number(address));
        let at_ms = milliseconds(at.0).max(self.at_ms);
        let line = SampleLine {
            after_ms: at_ms - self.at_ms,
            uplink: sample.uplink.0,
            class,
            target: u16::try_from(sample.target).unwrap_or(u16::MAX),
            address,
            // An overdue probe and its last word are told by one time of sending: both are cut in the same way.
            ago_ms: at_ms.saturating_sub(milliseconds(sample.sent_at.0)),
            outcome: sample.outcome,
            service_time: sample.service_time,
        };
        self.at_ms = at_ms;
        self.push(&Line::Sample(line));
    }

    /// Adds a change of what an uplink has.
    pub fn attachment(&mut self, at: BootTime, uplink: UplinkId, family: Family, (state, why): (Attached, String)) {
        let at_ms = milliseconds(at.0);
        if at_ms > self.at_ms {
            self.at_ms = at_ms;
            self.push(&Line::Time(BootTime(Duration::from_millis(at_ms))));
        }
        self.push(&Line::Attachment(uplink.0, family, state, why));
    }

    /// Adds that lines are missing.
    pub fn dropped(&mut self, count: u64) {
        self.push(&Line::Dropped(count));
    }

    /// Bytes of its text.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Lines beyond those that it begins with.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Its text, with the wall clock at its end.
    pub fn finish(mut self, at: BootTime, wall: Duration) -> String {
        Line::Time(at).write(&mut self.text);
        Line::Clock(wall).write(&mut self.text);
        self.text
    }

    fn number(&mut self, address: SocketAddr) -> Option<u16> {
        if let Some(known) = self.addresses.get(&address) {
            return Some(*known);
        }
        let number = u16::try_from(self.addresses.len()).ok().filter(|_| self.addresses.len() < MOST_ADDRESSES)?;
        self.addresses.insert(address, number);
        self.push(&Line::Address(number, address));
        Some(number)
    }

    fn push(&mut self, line: &Line) {
        line.write(&mut self.text);
        self.lines += 1;
    }
}
