//! Recordings of the real agent on a branch: what it decided is decided again, and a survey tells the ISPs apart.

#![allow(clippy::indexing_slicing, reason = "a missing key of a JSON answer is null, and fails the assertion")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{Agent, AgentSettings, Branch, LabError, PathProfile};
use serde_json::Value;
use tempfile::TempDir;

/// Built by cargo for this very test.
const BINARY: &str = env!("CARGO_BIN_EXE_peerward");
const MS: Duration = Duration::from_millis(1);
const NORTH: usize = 0;
const SOUTH: usize = 1;
/// Table of the agent's choice.
const PRIMARY: u32 = 7700;

fn main() -> Result<ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("a_recorded_brown_out_is_decided_again_as_the_agent_did", brown_out),
        Trial::test("a_survey_tells_the_isps_apart_and_writes_nothing_to_the_kernel", survey),
    ];
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(2).min(2));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn wait(agent: &mut Agent, what: &str, condition: impl Fn(&Agent) -> bool) -> Result<(), Failed> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition(agent) {
        agent.check_running()?;
        if Instant::now() > deadline {
            return Err(format!("not within 60 s: {what}\n{}", agent.log_tail()).into());
        }
        sleep(20 * MS);
    }
    Ok(())
}

/// Where each class went, one after another, as the agent logged it.
fn logged(log: &str) -> BTreeMap<String, Vec<String>> {
    let mut moves: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in log.lines() {
        let Some((before, after)) = line.split_once(" prefixes moved from ") else { continue };
        let class = before.rsplit_once(": ").map_or(before, |(class, _)| class);
        let class = class.rsplit_once(' ').map_or(class, |(_, class)| class);
        let to = after.split_once(" to ").and_then(|(_, rest)| rest.split_once(':')).map(|(to, _)| to);
        moves.entry(class.to_owned()).or_default().push(to.unwrap_or_default().to_owned());
    }
    moves
}

/// The same of a policy's replay.
fn replayed(policy: &Value) -> BTreeMap<String, Vec<String>> {
    let mut moves: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for decision in policy["decisions"].as_array().into_iter().flatten() {
        let class = decision["class"].as_str().unwrap_or_default();
        let to = decision["to"].as_str().unwrap_or("the main table");
        moves.entry(class.to_owned()).or_default().push(to.to_owned());
    }
    moves
}

fn brown_out() -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let file = folder.path().join("samples.pwr.gz");
    let settings =
        AgentSettings { more: format!("[recording]\nfile = {:?}\n", text(&file)), ..AgentSettings::default() };
    let branch = Branch::builder().build()?;
    let mut agent = Agent::with_binary(&branch, BINARY.into(), &settings)?;
    agent.start()?;
    wait(&mut agent, "all on north", |agent| agent.is_held_on(NORTH))?;
    branch.fabric().isp(NORTH).set(PathProfile::round_trip(50 * MS));
    wait(&mut agent, "all on south", |agent| agent.is_held_on(SOUTH))?;
    branch.fabric().isp(NORTH).set(PathProfile::default());
    wait(&mut agent, "all on north again", |agent| agent.is_held_on(NORTH))?;
    assert!(agent.terminate()?.success());

    let patient = folder.path().join("patient.toml");
    let written = fs::read_to_string(agent.config())?;
    fs::write(&patient, written.replace("leave_after = \"1000ms\"", "leave_after = \"10m\""))?;
    let own = agent.config();
    let output = agent.run(&["replay", "--json", "--config", text(&own), "--config", text(&patient), text(&file)])?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let log = fs::read_to_string(agent.log())?;
    assert_eq!(replayed(&report["policies"][0]), logged(&log), "{log}");
    assert_eq!(report["recording"]["faults"], Value::Array(Vec::new()));
    assert_eq!(report["policies"][1]["moves"]["forced"], 0, "who waits longer stays");
    let out_of_sla = |policy: usize| report["policies"][policy]["out_of_sla_s"].as_f64().unwrap_or_default();
    assert!(out_of_sla(1) > out_of_sla(0), "and suffers longer: {} {}", out_of_sla(0), out_of_sla(1));
    let differences = report["differences"].as_array().cloned().unwrap_or_default();
    assert!(differences.iter().all(|it| it["on"][0] == "wan1" && it["on"][1] == "wan0"), "{differences:#?}");
    assert!(!differences.is_empty());
    Ok(())
}

fn survey() -> Result<(), Failed> {
    let folder = TempDir::new()?;
    let branch = Branch::builder().build()?;
    branch.fabric().isp(NORTH).set(PathProfile::round_trip(20 * MS));
    branch.fabric().isp(SOUTH).set(PathProfile::round_trip(50 * MS));
    // It would write to the kernel, and is not asked to.
    let agent = Agent::with_binary(&branch, BINARY.into(), &AgentSettings::default())?;
    let (config, output) = (agent.config(), folder.path().join("out"));
    let ended =
        agent.run(&["survey", "--config", text(&config), "--for", "12s", "--output", text(&output), "--json"])?;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(branch.router().routes(PRIMARY)?.len(), 0, "nothing is steered");

    let report: Value = serde_json::from_slice(&ended.stdout)?;
    let written: Value = serde_json::from_str(&fs::read_to_string(output.join("report.json"))?)?;
    assert_eq!(written, report);
    let destinations = report["regions"][0]["destinations"].as_array().cloned().unwrap_or_default();
    assert!(destinations.len() > 4, "{report:#}");
    for destination in &destinations {
        let paths = destination["paths"].as_array().cloned().unwrap_or_default();
        let of = |isp: &str, key: &str| {
            paths.iter().find(|path| path["uplink"] == isp).and_then(|path| path[key].as_f64()).unwrap_or_default()
        };
        let medians = (of("north", "rtt_median_ms"), of("south", "rtt_median_ms"));
        assert!((18.0..35.0).contains(&medians.0) && (48.0..70.0).contains(&medians.1), "{destination:#}");
        assert_eq!(destination["verdicts"][0]["finding"], "too-short", "12 seconds are too little for a verdict");
    }
    let page = fs::read_to_string(output.join("report.html"))?;
    assert!(page.contains("<h1>Survey of lab-branch</h1>"));

    let again = folder.path().join("again");
    let recording = output.join("samples.pwr.gz");
    let ended = agent.run(&["survey", "--from", text(&recording), "--output", text(&again), "--json"])?;
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&ended.stdout)?, report, "the recording alone says the same");
    Ok(())
}
