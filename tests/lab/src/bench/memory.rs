//! Memory of the whole agent, as users run it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use peerward::config::Kernel;

use super::{
    data, process,
    read::FullTable,
    report::{Report, Row},
    scale::Scale,
    steering::Steered,
};
use crate::{Agent, AgentSettings, LabError};

const PATIENCE: Duration = Duration::from_secs(90);

/// Beside a full table, with all service tags.
pub(super) fn run(full: &FullTable, binary: &Path, scale: &Scale, report: &mut Report) -> Result<(), LabError> {
    let title = format!("Memory of the agent with all service tags, beside {} foreign routes", scale.routes);
    report.part("memory", &title);
    for &steered in scale.steered {
        let resident = of_agent(full, binary, steered, scale, report)?;
        if steered == Steered::ByRegion {
            report.figure("rss_mib_1m", resident);
        }
    }
    Ok(())
}

fn of_agent(
    full: &FullTable,
    binary: &Path,
    steered: Steered,
    scale: &Scale,
    report: &mut Report,
) -> Result<f64, LabError> {
    let settings = AgentSettings {
        probe_interval: scale.probe_interval,
        on_stop: "withdraw".to_owned(),
        more: tags(steered)?,
        ..AgentSettings::default()
    };
    let mut agent = Agent::with_binary(&full.branch, binary.to_owned(), &settings)?;
    let (classes, took) = start(full, &mut agent)?;
    // Probes of every class have been on their way by then.
    std::thread::sleep(scale.probe_interval);
    let memory = agent.pid().and_then(process::memory);
    let memory = memory.ok_or_else(|| LabError::system("read the agent's memory", std::io::ErrorKind::NotFound))?;
    report.row(&Row {
        subject: steered.to_string(),
        took: None,
        repetitions: 1,
        rss_mib: Some(memory.resident),
        note: format!(
            "at most {:.1} MiB; {classes} classes, in step {:.1} s after the start; budget 24 MiB",
            memory.peak,
            took.as_secs_f64()
        ),
    });
    agent.terminate()?;
    Ok(memory.resident)
}

/// Starts the agent and waits until it has programmed its routes; returns how many classes it has, and the time.
fn start(full: &FullTable, agent: &mut Agent) -> Result<(usize, Duration), LabError> {
    let began = Instant::now();
    agent.start()?;
    loop {
        agent.check_running()?;
        let status = agent.status().ok();
        let in_step = status.as_ref().and_then(|status| status.pointer("/kernel/in_step")?.as_bool());
        let classes = status.as_ref().and_then(|status| Some(status.get("classes")?.as_array()?.len()));
        if let (Some(true), Some(classes)) = (in_step, classes)
            && !full.branch.router().routes(Kernel::default().table)?.is_empty()
        {
            return Ok((classes, began.elapsed()));
        }
        if began.elapsed() > PATIENCE {
            return Err(LabError::Deadline {
                what: "the agent has programmed the service tags".to_owned(),
                seconds: PATIENCE.as_secs_f64(),
                last: format!("in step {in_step:?}, {classes:?} classes\n{}", agent.log_tail()),
            });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn tags(steered: Steered) -> Result<String, LabError> {
    let (file, tags) = (data::service_tags(), steered.tags()?);
    Ok(format!("\n[destinations.service_tags]\nfile = {:?}\ntags = {tags:?}\n", file.to_string_lossy()))
}
