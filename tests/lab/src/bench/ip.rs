//! `ip` of iproute2: lists and batches.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::process;
use crate::Namespace;

/// What to do when it is missing.
pub(super) const ADVICE: &str = "`ip` is not installed: apt install iproute2";

/// Lists all routes of the main table, both families, into nothing.
pub(super) fn list_routes(place: &Namespace) -> Result<Duration, String> {
    let began = Instant::now();
    for family in ["-4", "-6"] {
        run(place, Command::new(program()?).args([family, "route", "show"]))?;
    }
    Ok(began.elapsed())
}

/// Executes a file of commands; of IPv6 alone, if it cannot tell by itself.
pub(super) fn batch(place: &Namespace, file: &Path, ipv6: bool) -> Result<Duration, String> {
    let mut command = Command::new(program()?);
    command.args(ipv6.then_some("-6")).arg("-batch").arg(file);
    let began = Instant::now();
    run(place, &mut command)?;
    Ok(began.elapsed())
}

fn program() -> Result<std::path::PathBuf, String> {
    process::find("ip").ok_or_else(|| ADVICE.to_owned())
}

fn run(place: &Namespace, command: &mut Command) -> Result<(), String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = place.spawn(command).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip ended with {}: {}", output.status, said.lines().next().unwrap_or("no word")))
}
