//! Times of the day, such as `"22:00-05:00"`, and how far a site's clock is ahead of UTC, such as `"+13:00"`.

use super::{Item, Wrong, quoted, text};
use crate::{config::model::DayWindow, domain::TimeOfDay};

/// The clocks of the world are from 12 hours behind UTC to 14 hours ahead.
const EASTMOST: i16 = 14 * 60;
const WESTMOST: i16 = -12 * 60;

/// A span of every day.
pub(in super::super) fn day_window(item: &Item<'_>) -> Result<DayWindow, Wrong> {
    let written = text(item)?;
    let wrong = |problem: &str| {
        Wrong::new(
            format!("{} {problem}", quoted(&written)),
            "write FROM-TO in hours and minutes of the site's own time, such as \"22:00-05:00\"",
        )
    };
    let (from, to) = written.split_once('-').ok_or_else(|| wrong("is not a span of the day"))?;
    match (time_of_day(from), time_of_day(to)) {
        (Some(from), Some(to)) => Ok(DayWindow { from, to }),
        _ if to == "24:00" => Err(wrong("ends at 24:00, which is 00:00")),
        _ => Err(wrong("is not a span of the day")),
    }
}

/// The form that [`day_window`] reads.
pub(in super::super) fn in_day(window: DayWindow) -> String {
    format!("{}-{}", window.from, window.to)
}

/// Minutes ahead of UTC.
pub(in super::super) fn utc_offset(item: &Item<'_>) -> Result<i16, Wrong> {
    let written = text(item)?;
    let wrong = |problem: &str| {
        Wrong::new(
            format!("{} {problem}", quoted(&written)),
            "write the hours and minutes ahead of UTC with their sign, from \"-12:00\" to \"+14:00\"",
        )
    };
    let minutes = signed(&written).ok_or_else(|| wrong("is not a distance from UTC"))?;
    if (WESTMOST..=EASTMOST).contains(&minutes) { Ok(minutes) } else { Err(wrong("is out of range")) }
}

/// The form that [`utc_offset`] reads.
pub(in super::super) fn in_hours(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn signed(written: &str) -> Option<i16> {
    let (sign, rest) = match written.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = clock(rest)?;
    i16::try_from(hours * 60 + minutes).ok().map(|minutes| sign * minutes)
}

fn time_of_day(written: &str) -> Option<TimeOfDay> {
    let (hours, minutes) = clock(written)?;
    TimeOfDay::new(hours, minutes)
}

/// `HH:MM`, with the hour's first digit left out or not.
fn clock(written: &str) -> Option<(u16, u16)> {
    let (hours, minutes) = written.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = matches!(hours.len(), 1 | 2) && minutes.len() == 2 && digits(hours) && digits(minutes);
    let (hours, minutes) = well_formed.then_some((hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?))?;
    (minutes < 60).then_some((hours, minutes))
}
