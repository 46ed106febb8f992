//! `ping` and `fping`, as people run them.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

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
    let Ended { out, errors, cpu } = run(router, &mut command)?;
    let rtts = out.lines().filter_map(|line| milliseconds(line.split_once("time=")?.1.split(' ').next()?)).collect();
    let sent = out.lines().find_map(|line| line.split_once(" packets transmitted")?.0.parse().ok());
    let sent = sent.ok_or_else(|| format!("ping told no sum: {errors}"))?;
    Ok(Estimate { rtts, sent, cpu })
}

/// Measures with `fping`, which tells all answers at its end.
pub(super) fn fping(router: &Namespace, series: Series) -> Result<Estimate, String> {
    let mut command = program("fping", "`fping` is not installed: apt install fping")?;
    command.args(["-q", "-C", &series.count.to_string(), "-p", &series.pace.as_millis().to_string()]);
    command.args(["-t", &series.timeout.as_millis().to_string()]).arg(MICROSOFT_IPV4.to_string());
    let Ended { errors, cpu, .. } = run(router, &mut command)?;
    let told = errors.lines().find_map(|line| Some(line.split_once(" : ")?.1));
    let told: Vec<&str> = told.ok_or_else(|| format!("fping told nothing: {errors}"))?.split_whitespace().collect();
    let rtts = told.iter().filter_map(|word| milliseconds(word)).collect();
    Ok(Estimate { rtts, sent: told.len(), cpu })
}

fn program(name: &str, advice: &str) -> Result<Command, String> {
    process::find(name).map(Command::new).ok_or_else(|| advice.to_owned())
}

/// What a program wrote and used.
struct Ended {
    out: String,
    errors: String,
    cpu: Duration,
}

/// Runs it to its end. Losses may end in a failure, which is none.
fn run(router: &Namespace, command: &mut Command) -> Result<Ended, String> {
    let told = |error: io::Error| error.to_string();
    // Files, because a pipe might fill up before anybody reads it.
    let (mut out, mut errors) = (tempfile::tempfile().map_err(told)?, tempfile::tempfile().map_err(told)?);
    command.stdin(Stdio::null()).stdout(out.try_clone().map_err(told)?).stderr(errors.try_clone().map_err(told)?);
    let mut child = router.spawn(command.env("LC_ALL", "C")).map_err(|error| error.to_string())?;
    // What a process has used is told to the nanosecond for as long as nobody has taken note of its end; what is told of
    // children afterwards is rounded to ticks of the kernel's clock.
    let end = waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let cpu = process::time_of_tasks(child.id(), None);
    child.wait().map_err(told)?;
    end.map_err(|error| error.to_string())?;
    Ok(Ended { out: written(&mut out).map_err(told)?, errors: written(&mut errors).map_err(told)?, cpu })
}

fn written(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn seconds(span: Duration) -> String {
    format!("{:.3}", span.as_secs_f64())
}

/// Milliseconds as both programs print them; nothing when there are none.
fn milliseconds(word: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(word.parse::<f64>().ok()? / 1e3).ok()
}
