//! Configuration: one TOML file, validated whole, with errors that name file, line, column, key and the fix.
//!
//! Owns the TOML model, the defaults and the validation. May know the domain types and the registry of markets and
//! partners. Must never touch the network or the kernel: `peerward check` works on any machine.

mod model;

pub use model::{
    Config, Control, Destinations, Endpoint, Fallback, Isp, Kernel, Microsoft365, Microsoft365Source, Mode,
    NextHopSpec, OnStop, Policy, Probe, Report, ServiceTags, Site, Sla, StaticList, Uplink,
};
