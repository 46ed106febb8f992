//! How single values are read: types, units and ranges, with the sentence that helps when they do not fit.

mod day;
mod endpoint;
mod network;
mod target;
mod time;

use std::{
    fmt::Display,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use toml::de::DeValue;

pub(super) use day::{day_window, in_day, in_hours, utc_offset};
pub(super) use endpoint::endpoint;
pub(super) use network::{address, any_prefix, interface, next_hop, prefix, source_prefix};
pub(super) use target::{in_codes, is_plain, parse as parse_target, status, target};
pub(super) use time::{duration, in_units, parse as parse_time};

use super::{
    finding::Wrong,
    reader::Item,
    suggestion::{quoted, suggest},
};

/// Longest text: a path of the kernel (`PATH_MAX` is 4096 with the closing zero).
const LONGEST_TEXT: usize = 4095;

/// Longest name, so that tables stay readable and telemetry small.
const LONGEST_NAME: usize = 64;

/// The word that switches a figure or a family off.
pub(super) const OFF: &str = "off";

/// A string that says something.
pub(super) fn text(item: &Item<'_>) -> Result<String, Wrong> {
    let DeValue::String(text) = &item.value else {
        return Err(Wrong::new(is_a(&item.value), "write a string in quotes"));
    };
    if text.trim().is_empty() {
        return Err(Wrong::new("is empty", "give it a text"));
    }
    if text.len() > LONGEST_TEXT {
        return Err(Wrong::new(format!("is longer than {LONGEST_TEXT} bytes"), "shorten it"));
    }
    if text.chars().any(char::is_control) {
        return Err(Wrong::new(format!("{} has control characters", quoted(text)), "remove them"));
    }
    Ok(text.clone().into_owned())
}

/// A name that people, reports and tables carry.
pub(super) fn name(item: &Item<'_>) -> Result<String, Wrong> {
    let name = text(item)?;
    if name.chars().count() > LONGEST_NAME {
        return Err(Wrong::new(
            format!("is longer than {LONGEST_NAME} characters"),
            "choose a name that fits into a table",
        ));
    }
    if name.trim() != name {
        return Err(Wrong::new(
            format!("{} has space around it", quoted(&name)),
            format!("write {}", quoted(name.trim())),
        ));
    }
    Ok(name)
}

/// A name that becomes part of a class's name.
pub(super) fn plain_name(item: &Item<'_>) -> Result<String, Wrong> {
    let name = name(item)?;
    if name.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-') {
        Ok(name)
    } else {
        Err(Wrong::new(format!("{} cannot be part of a class's name", quoted(&name)), "use only a-z, 0-9 and -"))
    }
}

/// `true` or `false`.
pub(super) fn flag(item: &Item<'_>) -> Result<bool, Wrong> {
    match &item.value {
        DeValue::Boolean(flag) => Ok(*flag),
        other => Err(Wrong::new(is_a(other), "write true or false, without quotes")),
    }
}

/// A whole number in a range.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&Item<'_>) -> Result<T, Wrong>
where
    T: TryFrom<u64> + PartialOrd + Display,
{
    move |item| {
        let fix = || format!("use a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = &item.value else {
            return Err(Wrong::new(is_a(&item.value), fix()));
        };
        let parsed =
            u64::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|value| T::try_from(value).ok());
        parsed.filter(|value| range.contains(value)).ok_or_else(|| {
            let written: String = integer.to_string().chars().take(LONGEST_NAME).collect();
            Wrong::new(format!("{written} is out of range"), fix())
        })
    }
}

/// A share such as `"2%"`, as a ratio; or `"off"`.
pub(super) fn share_or_off(item: &Item<'_>) -> Result<Option<f64>, Wrong> {
    const FIX: &str = "use a share from \"0%\" to \"100%\", such as \"2%\" or \"0.5%\", or \"off\"";
    or_off(|item| ratio(item, FIX))(item)
}

/// A share such as `"10%"`, as a ratio.
pub(super) fn share(item: &Item<'_>) -> Result<f64, Wrong> {
    ratio(item, "use a share from \"0%\" to \"100%\", such as \"10%\" or \"2.5%\"")
}

fn ratio(item: &Item<'_>, fix: &str) -> Result<f64, Wrong> {
    let DeValue::String(written) = &item.value else {
        return Err(Wrong::new(is_a(&item.value), fix));
    };
    let percent = written
        .strip_suffix('%')
        .map(str::trim_end)
        // Decimals only: no sign, no exponent, no "inf".
        .filter(|number| number.starts_with(|first: char| first.is_ascii_digit()))
        .filter(|number| number.chars().all(|letter| letter.is_ascii_digit() || letter == '.'))
        .and_then(|number| number.parse::<f64>().ok())
        .filter(|percent| *percent <= 100.0)
        .ok_or_else(|| Wrong::new(format!("{} is not a share", quoted(written)), fix))?;
    // Whole steps of a millionth, so that what is printed reads back to the very same number.
    Ok((percent * 10_000.0).round() / 1_000_000.0)
}

/// What `read` reads, or nothing for `"off"`.
pub(super) fn or_off<T>(
    read: impl Fn(&Item<'_>) -> Result<T, Wrong>,
) -> impl Fn(&Item<'_>) -> Result<Option<T>, Wrong> {
    move |item| match &item.value {
        DeValue::String(word) if word == OFF => Ok(None),
        _ => read(item).map(Some),
    }
}

/// A ratio in the form that [`share`] reads.
pub(super) fn in_percent(ratio: f64) -> String {
    format!("{}%", (ratio * 1_000_000.0).round() / 10_000.0)
}

/// One of some words.
pub(super) fn one_of<T: Copy>(words: &[(&str, T)]) -> impl Fn(&Item<'_>) -> Result<T, Wrong> {
    move |item| {
        let written = text(item)?;
        let found = words.iter().find(|(word, _)| *word == written);
        found.map(|(_, value)| *value).ok_or_else(|| unknown_word(&written, words.iter().map(|(word, _)| *word)))
    }
}

/// A word that is not one of those that mean something here.
pub(super) fn unknown_word<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Wrong {
    Wrong::new(format!("{} is not known here", quoted(written)), suggest(written, known))
}

/// A path; a relative one is taken from the folder of the configuration.
pub(super) fn path(base: &Path) -> impl Fn(&Item<'_>) -> Result<PathBuf, Wrong> {
    move |item| Ok(base.join(text(item)?))
}

/// What a value of the wrong type is.
fn is_a(value: &DeValue<'_>) -> String {
    let article = if matches!(value, DeValue::Integer(_) | DeValue::Array(_)) { "an" } else { "a" };
    format!("is {article} {}", value.type_str())
}
