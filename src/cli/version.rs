//! `peerward version`.

use std::env::consts::{ARCH, OS};

use serde_json::json;

use super::{
    arguments::Global,
    failure::Failure,
    output::{print, print_json},
};

/// Prints name, version and platform.
pub fn run(global: &Global) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if global.json {
        return print_json(&json!({ "name": "peerward", "version": version, "os": OS, "arch": ARCH }));
    }
    print(&format!("peerward {version} ({OS}, {ARCH})\n"))
}
