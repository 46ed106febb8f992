//! Configuration: one TOML file, validated whole, with errors that name file, line, column, key and the fix.
//!
//! Owns the TOML model, the defaults and the validation. May know the domain types and the registry of markets and
//! partners. Must never touch the network or the kernel: `peerward check` works on any machine.

mod consistency;
mod defaults;
mod effective;
mod finding;
mod model;
mod parse;
mod reader;
mod values;

#[cfg(test)]
mod tests;

use std::{fs::File, io::Read, path::Path};

use finding::Wrong;
pub use finding::{ConfigError, Finding};
pub use model::{
    Config, Control, Destinations, Endpoint, Fallback, Isp, Kernel, Microsoft365, Microsoft365Source, Mode,
    NextHopSpec, OnStop, Policy, Probe, Report, ServiceTags, Site, Sla, StaticList, Uplink,
};

/// Bound of a configuration file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads and validates a file. Relative paths in it are taken from its folder.
///
/// # Errors
/// When the file cannot be read, is not TOML, has unknown keys, bad values or contradictions; every finding at once.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    let whole = |wrong: Wrong| ConfigError::new(vec![wrong.of_file(file)]);
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| whole(Wrong::new(format!("cannot be read: {error}"), "name a readable file, in UTF-8")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(whole(Wrong::new("is larger than 1 MiB", "this is no configuration of peerward")));
    }
    parse(&text, file)
}

/// Validates a text; `file` is the name in errors and the base of relative paths.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    parse::parse(text, file)
}

/// The configuration with every default spelled out, as TOML that [`parse()`] reads back to the same value.
pub fn effective(config: &Config) -> String {
    effective::effective(config)
}
