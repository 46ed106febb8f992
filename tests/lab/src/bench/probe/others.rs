//! `ping` and `fping`, as people run them.

use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

use nix::sys::resource::{UsageWho, getrusage};

use super::{
    super::process,
    measurer::{Estimate, Series},
};
use crate::{MICROSOFT_IPV4, Namespace};

/// Measures with `ping`, a line for each answer.
pub(super) fn ping(router: &Namespace, series: Series) -> Result<Estimate, String> {
    let mut command = program("ping", "`ping` is not installed: apt install iputils-ping")?;
    command.args(["-n", "-i", &seconds(series.pace), "-c", &series.count.to_string()]);
    command.args(["-W", &seconds(series.timeout)]).arg(MICROSOFT_IPV4.to_string());
    let (output, cpu) = run(router, &mut command)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let rtts = said.lines().filter_map(|line| milliseconds(line.split_once("time=")?.1.split(' ').next()?)).collect();
    let sent = said.lines().find_map(|line| line.split_once(" packets transmitted")?.0.parse().ok());
    let sent = sent.ok_or_else(|| format!("ping told no sum: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(Estimate { rtts, sent, cpu })
}

/// Measures with `fping`, which tells all answers at its end.
pub(super) fn fping(router: &Namespace, series: Series) -> Result<Estimate, String> {
    let mut command = program("fping", "`fping` is not installed: apt install fping")?;
    command.args(["-q", "-C", &series.count.to_string(), "-p", &series.pace.as_millis().to_string()]);
    command.args(["-t", &series.timeout.as_millis().to_string()]).arg(MICROSOFT_IPV4.to_string());
    let (output, cpu) = run(router, &mut command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let told = said.lines().find_map(|line| Some(line.split_once(" : ")?.1));
    let told: Vec<&str> = told.ok_or_else(|| format!("fping told nothing: {said}"))?.split_whitespace().collect();
    let rtts = told.iter().filter_map(|word| milliseconds(word)).collect();
    Ok(Estimate { rtts, sent: told.len(), cpu })
}

fn program(name: &str, advice: &str) -> Result<Command, String> {
    process::find(name).map(Command::new).ok_or_else(|| advice.to_owned())
}

/// Runs it to its end. Losses may end in a failure, which is none.
fn run(router: &Namespace, command: &mut Command) -> Result<(Output, Duration), String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
    let before = time_of_children()?;
    let child = router.spawn(command).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    Ok((output, time_of_children()?.saturating_sub(before)))
}

/// Processor time of all children that have ended.
fn time_of_children() -> Result<Duration, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let micros = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(micros.into_iter().map(|micros| Duration::from_micros(micros.unsigned_abs())).sum())
}

fn seconds(span: Duration) -> String {
    format!("{:.3}", span.as_secs_f64())
}

/// Milliseconds as both programs print them; nothing when there are none.
fn milliseconds(word: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(word.parse::<f64>().ok()? / 1e3).ok()
}
