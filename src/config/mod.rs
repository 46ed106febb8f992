//! Configuration: one TOML file, validated whole, with errors that name file, line, column, key and the fix.
//!
//! Owns the TOML model, the defaults and the validation. May know the domain types and the registry of markets and
//! partners. Must never touch the network or the kernel: `peerward check` works on any machine.

mod model;

pub use model::{
    Config, Control, Destinations, Endpoint, Fallback, Isp, Kernel, Microsoft365, Microsoft365Source, Mode,
    NextHopSpec, OnStop, Policy, Probe, Report, ServiceTags, Site, Sla, StaticList, Uplink,
};

use std::path::Path;

/// What is wrong with a configuration; `Display` prints every finding, one to a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("x")]
pub struct ConfigError {}

/// Reads and validates a file. Relative paths in it are taken from its folder.
///
/// # Errors
/// When the file cannot be read, is not TOML, has unknown keys, bad values or contradictions; every finding at once.
pub fn load(_file: &Path) -> Result<Config, ConfigError> {
    todo!()
}

/// Validates a text; `file` is the name in errors and the base of relative paths.
///
/// # Errors
/// As [`load`].
pub fn parse(_text: &str, _file: &Path) -> Result<Config, ConfigError> {
    todo!()
}

/// The configuration with every default spelled out, as TOML that [`parse`] reads back to the same value.
pub fn effective(_config: &Config) -> String {
    todo!()
}
