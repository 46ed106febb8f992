//! Configuration: one TOML file, validated whole, with errors that name file, line, column, key and the fix.
//!
//! Owns the TOML model, the defaults and the validation. May know the domain types and the registry of markets and
//! partners. Must never touch the network or the kernel: `peerward check` works on any machine.

mod defaults;
mod document;
mod effective;
mod excerpt;
mod finding;
mod model;
mod reader;
mod suggestion;
mod tables;
mod values;

#[cfg(test)]
mod tests;

use std::{fs::File, io::Read, ops::RangeInclusive, path::Path, time::Duration};

use crate::domain::Target;
use finding::Wrong;
pub use finding::{ConfigError, Finding};
pub use model::{
    Config, Control, DayWindow, Destinations, Endpoint, Fallback, Ipv6Source, Isp, Kernel, Margin, Match,
    Microsoft365, Microsoft365Source, Mode, MovedFlows, NextHopSpec, OnStop, Order, Percentile, Place, Policy, Probe,
    Profile, Recording, RegionMatch, Report, Rule, ServiceTags, Site, Sla, StaticList, Strategy, Treatment,
    TrustSource, Uplink,
};
pub(crate) use suggestion::{quoted, suggest};

/// What a loss threshold of probes may be.
pub const PROBE_TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(10);

/// Bound of a configuration, in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// Reads and validates a file. Relative paths in it are taken from its folder.
///
/// # Errors
/// When the file cannot be read, is not TOML, has unknown keys, bad values or contradictions; every finding at once.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    let mut bytes = Vec::new();
    // One byte more, by which a file that is too large shows.
    File::open(file)
        .and_then(|opened| opened.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Wrong::new(format!("cannot be read: {error}"), "name a readable file").of_file(file))?;
    if bytes.len() > MOST_BYTES {
        return Err(too_large(file));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let position = error.utf8_error().valid_up_to();
        Wrong::new(format!("is not UTF-8 at byte {position}"), "save it as UTF-8 text").of_file(file)
    })?;
    parse(&text, file)
}

/// Validates a text; `file` is the name in errors and the base of relative paths.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    if text.len() > MOST_BYTES {
        return Err(too_large(file));
    }
    tables::parse(text, file)
}

/// A target in the text form of `[probe.targets]`; `port` is that of a bare address or name.
///
/// # Errors
/// What is wrong with it and what to write instead, as one sentence.
pub fn target(text: &str, port: u16) -> Result<Target, String> {
    values::parse_target(text, port).map_err(|Wrong { problem, fix }| format!("{problem}; {fix}"))
}

/// A time in the form of the configuration (`250ms`), in a range.
///
/// # Errors
/// What is wrong with it and what to write instead, as one sentence.
pub fn time(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    values::parse_time(text, range).map_err(|Wrong { problem, fix }| format!("{problem}; {fix}"))
}

fn too_large(file: &Path) -> ConfigError {
    Wrong::new("is larger than 1 MiB", "this is no configuration of peerward").of_file(file).into()
}

/// The configuration with every default spelled out, as TOML that [`parse()`] reads back to the same value.
pub fn effective(config: &Config) -> String {
    effective::effective(config)
}
