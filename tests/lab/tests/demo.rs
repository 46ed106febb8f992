//! The demo is a promise to newcomers: it must go well wherever the tests do.

use std::process::Command;

use serde_json::Value;

#[test]
fn the_demo_does_what_it_says_and_ends_with_its_summary() {
    let output = Command::new(env!("CARGO_BIN_EXE_peerward-lab")).args(["demo", "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\n{told}")))
        .collect();
    let summary = events.last().unwrap_or_else(|| panic!("no output\n{told}"));

    assert_eq!(summary["event"], "summary", "{told}");
    assert_eq!(summary["ok"], true, "{told}");
    assert!(output.status.success(), "{told}");
    assert_eq!(summary["steps"].as_array().map(Vec::len), Some(7), "{told}");
    assert_eq!(summary["restart_lost_packets"], 0, "{told}");
    for figure in ["carrier_gap_ms", "blackhole_gap_ms", "dead_agent_gap_ms"] {
        assert!(summary[figure].is_number(), "{figure}\n{told}");
    }
    assert!(summary["samples_reported"].as_u64().is_some_and(|samples| samples > 0), "{told}");
}
