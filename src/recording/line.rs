//! One line of the format, to text and back. `docs/recording.md` has the grammar.

use std::{net::SocketAddr, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::{
    attachment::Attached,
    head::{ClassHead, Head, Header, UplinkHead},
    sample_line::SampleLine,
};
use crate::domain::{BootTime, Category, ClassId, Family};

/// Longest line that is read, in bytes.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// Latest time that is read: a hundred years, in milliseconds.
const LATEST_MS: u64 = 100 * 366 * 86_400_000;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// A run of the agent begins, or goes on in a new file.
    Header(Header),
    /// What a number of an uplink stands for.
    Uplink(u16, UplinkHead),
    /// What a number of a class stands for.
    Class(u16, ClassHead),
    /// The time of what follows, since boot.
    Time(BootTime),
    /// The wall clock at that time, since 1970.
    Clock(Duration),
    /// What the kernel offers for an uplink from now on, and why not more.
    Attachment(u16, Family, Attached, String),
    /// What a number of an address stands for, until the number is given to another.
    Address(u16, SocketAddr),
    /// What became of a probe.
    Sample(SampleLine),
    /// So many lines were not written since.
    Dropped(u64),
}

/// Lines of a head.
pub(super) fn write_head(head: &Head, to: &mut String) {
    Line::Header(head.header.clone()).write(to);
    for (number, uplink) in (0..).zip(&head.uplinks) {
        Line::Uplink(number, uplink.clone()).write(to);
    }
    for (number, class) in (0..).zip(&head.classes) {
        Line::Class(number, class.clone()).write(to);
    }
}

impl Line {
    /// Appends it, with the end of the line.
    pub fn write(&self, to: &mut String) {
        match self {
            Self::Header(header) => json(to, header),
            Self::Uplink(number, UplinkHead { name, isp }) => json(to, &("uplink", number, name, isp)),
            Self::Class(number, class) => {
                let ClassHead { id, family, service, region, category, targets } = class;
                json(to, &("class", number, id, family, service, region, category, targets));
            }
            Self::Time(at) => json(to, &("time", milliseconds(at.0).min(LATEST_MS))),
            Self::Clock(wall) => json(to, &("clock", milliseconds(*wall).min(LATEST_MS))),
            Self::Attachment(uplink, family, state, why) if why.is_empty() => {
                json(to, &("attachment", uplink, family, state.as_str()));
            }
            Self::Attachment(uplink, family, state, why) => {
                json(to, &("attachment", uplink, family, state.as_str(), why));
            }
            Self::Address(number, address) => json(to, &("address", number, address)),
            Self::Sample(sample) => sample.write(to),
            Self::Dropped(count) => json(to, &("dropped", count)),
        }
        to.push('\n');
    }

    /// Reads a line. Nothing for a kind of line that later versions may have.
    ///
    /// # Errors
    /// When it is not a line of a recording.
    pub fn parse(text: &str) -> Result<Option<Self>, BadLine> {
        let bytes = text.as_bytes();
        match (bytes.first(), bytes.get(1)) {
            (Some(b'['), Some(b'0'..=b'9')) => {
                let sample: SampleLine = serde_json::from_str(text).map_err(|_| BadLine)?;
                (sample.after_ms <= LATEST_MS && sample.ago_ms <= LATEST_MS).then_some(()).ok_or(BadLine)?;
                Ok(Some(Self::Sample(sample)))
            }
            (Some(b'['), _) => {
                let fields: Vec<Value> = serde_json::from_str(text).map_err(|_| BadLine)?;
                tagged(&fields)
            }
            (Some(b'{'), _) => {
                serde_json::from_str(text).map(|header| Some(Self::Header(header))).map_err(|_| BadLine)
            }
            _ => Err(BadLine),
        }
    }
}

/// Not a line of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadLine;

fn tagged(fields: &[Value]) -> Result<Option<Line>, BadLine> {
    let tag = fields.first().and_then(Value::as_str).ok_or(BadLine)?;
    let number = |at: usize| fields.get(at).and_then(Value::as_u64).and_then(|it| u16::try_from(it).ok());
    let text = |at: usize| fields.get(at).and_then(Value::as_str);
    let time = || {
        let milliseconds = fields.get(1).and_then(Value::as_u64).filter(|it| *it <= LATEST_MS);
        milliseconds.map(Duration::from_millis)
    };
    let line = match tag {
        "uplink" => || -> Option<Line> {
            Some(Line::Uplink(number(1)?, UplinkHead { name: text(2)?.to_owned(), isp: text(3)?.to_owned() }))
        }(),
        "class" => class(fields).zip(number(1)).map(|(class, number)| Line::Class(number, class)),
        "time" => time().map(|at| Line::Time(BootTime(at))),
        "clock" => time().map(Line::Clock),
        "attachment" => || -> Option<Line> {
            let state = Attached::ALL.into_iter().find(|state| Some(state.as_str()) == text(3))?;
            Some(Line::Attachment(number(1)?, family(text(2)?)?, state, text(4).unwrap_or_default().to_owned()))
        }(),
        "address" => {
            text(2).and_then(|it| it.parse().ok()).zip(number(1)).map(|(it, number)| Line::Address(number, it))
        }
        "dropped" => fields.get(1).and_then(Value::as_u64).map(Line::Dropped),
        _ => return Ok(None),
    };
    line.map(Some).ok_or(BadLine)
}

fn class(fields: &[Value]) -> Option<ClassHead> {
    let text = |at: usize| fields.get(at).and_then(Value::as_str);
    let category = match text(6) {
        Some("optimize") => Some(Category::Optimize),
        Some("allow") => Some(Category::Allow),
        Some("default") => Some(Category::Default),
        _ => None,
    };
    let targets = fields.get(7).and_then(Value::as_array);
    let targets = targets.into_iter().flatten().map(|target| target.as_str().map(str::to_owned));
    Some(ClassHead {
        id: ClassId::new(text(2)?),
        family: family(text(3)?)?,
        service: text(4)?.to_owned(),
        region: text(5).map(str::to_owned),
        category,
        targets: targets.collect::<Option<_>>()?,
    })
}

fn family(word: &str) -> Option<Family> {
    Family::BOTH.into_iter().find(|family| family.as_str() == word)
}

/// A span as the format counts time.
pub(super) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn json(to: &mut String, value: &impl Serialize) {
    // Values of this format have no keys that are not text, so that encoding cannot fail.
    to.push_str(&serde_json::to_string(value).unwrap_or_default());
}
