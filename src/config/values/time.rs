//! Times with a unit, such as `"250ms"`.

use std::{ops::RangeInclusive, time::Duration};

use toml::de::DeValue;

use super::{Item, Wrong, is_a, quoted};

/// With the milliseconds that each one has.
const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// A time with its unit, in a range.
pub(in super::super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&Item<'_>) -> Result<Duration, Wrong> {
    move |item| match &item.value {
        DeValue::String(written) => parse(written, &range),
        other => Err(Wrong::new(is_a(other), fix(&range))),
    }
}

/// Reads its text form.
pub(in super::super) fn parse(written: &str, range: &RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let span =
        from_units(written).ok_or_else(|| Wrong::new(format!("{} is not a time", quoted(written)), fix(range)))?;
    if range.contains(&span) {
        Ok(span)
    } else {
        Err(Wrong::new(format!("{} is out of range", quoted(written)), fix(range)))
    }
}

fn fix(range: &RangeInclusive<Duration>) -> String {
    let (start, end) = (in_units(*range.start()), in_units(*range.end()));
    format!("use a time from \"{start}\" to \"{end}\", a whole number with a unit: ms, s, m, h")
}

fn from_units(written: &str) -> Option<Duration> {
    let split = written.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = written.split_at(split);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*factor)?))
}

/// A time in the largest unit that shows it whole: the form that the configuration reads.
pub(in super::super) fn in_units(span: Duration) -> String {
    let milliseconds = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let whole = |factor: u64| milliseconds >= factor && milliseconds.is_multiple_of(factor);
    match UNITS.iter().rev().find(|(_, factor)| whole(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", milliseconds / factor),
        None => "0s".to_owned(),
    }
}
