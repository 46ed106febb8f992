//! The demo is a promise to newcomers: it must go well wherever the tests do.

#![allow(clippy::indexing_slicing, reason = "a missing key of a JSON object is null, and fails the assertion")]

use std::{
    env,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::demo::{self, Options};
use serde_json::Value;

/// Makes this program play the demo instead of testing it: so that its output and exit code can be looked at.
const PLAY: &str = "play-the-demo";

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some(PLAY) {
        if let Err(error) = peerward_lab::enter() {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
        return demo::run(Options { json: true, pause: false }, Some(env!("CARGO_BIN_EXE_peerward").into()));
    }
    let trial = Trial::test("the_demo_does_what_it_says_and_ends_with_its_summary", goes_well);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn goes_well() -> Result<(), Failed> {
    let output = Command::new(env::current_exe()?).arg(PLAY).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let events = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
    let events = events.map_err(|error| format!("{error}\n{told}"))?;
    let summary = events.last().ok_or_else(|| format!("no output\n{told}"))?;

    assert_eq!(summary["event"], "summary", "{told}");
    assert_eq!(summary["ok"], true, "{told}");
    assert!(output.status.success(), "{told}");
    assert_eq!(summary["steps"].as_array().map(Vec::len), Some(7), "{told}");
    assert_eq!(summary["restart_lost_packets"], 0, "{told}");
    for figure in ["carrier_gap_ms", "blackhole_gap_ms", "dead_agent_gap_ms"] {
        assert!(summary[figure].is_number(), "{figure}\n{told}");
    }
    assert!(summary["samples_reported"].as_u64().is_some_and(|samples| samples > 0), "{told}");
    Ok(())
}
