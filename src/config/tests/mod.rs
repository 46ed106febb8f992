//! The configuration as a user meets it: what is accepted, what it becomes, and what is said about what is not.

mod accepted;
mod reference;
mod refused;
mod round_trip;
mod rules;
mod ties;

const BASE: &str = include_str!("base.toml");
const REFERENCE: &str = include_str!("../../../config/peerward.toml");
const EXAMPLE: &str = include_str!("../../../config/examples/branch-observe.toml");
const FLEET: &str = include_str!("../../../config/examples/fleet.toml");

/// A good configuration, as if it stood in `/etc/peerward`.
fn parsed(text: &str) -> super::Config {
    let file = std::path::Path::new("/etc/peerward/peerward.toml");
    super::parse(text, file).unwrap_or_else(|error| panic!("{error}"))
}
