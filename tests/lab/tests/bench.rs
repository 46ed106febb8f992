//! The benchmarks work: a small run of all of them ends with every figure. It says nothing about speed.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

/// What is expected of a suite.
struct Suite {
    name: &'static str,
    /// What other people's tools may look for in the summary; null where it is not part of a quick run, or the program to
    /// compare with is not installed.
    figures: &'static [&'static str],
    /// Those that need no other program.
    ours: &'static [&'static str],
}

const KERNEL: Suite = Suite {
    name: "kernel",
    figures: &[
        "read_ratio_discard",
        "read_cpu_ratio_discard",
        "read_ratio_iproute",
        "read_ratio_bird",
        "read_ratio_frr",
        "program_ratio_ip_batch",
        "swap_ratio_ip_batch_50k",
        "swap_ratio_ip_batch_50k_compat1",
        "swap_us_1k",
        "swap_us_1k_compat1",
        "swap_us_200k",
        "swap_us_200k_compat1",
        "carrier_backup_ms",
        "carrier_lost_packets",
        "reconcile_ms_beside_1m",
        "rss_mib_1m",
    ],
    ours: &[
        "read_ratio_discard",
        "swap_us_1k",
        "swap_us_200k",
        "carrier_backup_ms",
        "reconcile_ms_beside_1m",
        "rss_mib_1m",
    ],
};

const PROBE: Suite = Suite {
    name: "probe",
    figures: &[
        "median_error_ms_tcp",
        "median_error_ms_icmp",
        "median_error_ms_stun",
        "median_error_ms_ping",
        "median_error_ms_fping",
        "loss_error_pp",
        "cpu_ms_per_1000",
        "cpu_ms_per_1000_fping",
        "blackhole_detect_ms_fast",
        "blackhole_detect_ms_normal",
        "passive_cpu_percent_10k",
        "bytes_per_path",
    ],
    ours: &["median_error_ms_tcp", "loss_error_pp", "blackhole_detect_ms_fast", "bytes_per_path"],
};

fn main() -> ExitCode {
    let trials = [KERNEL, PROBE].map(|suite| {
        let name = format!("a_quick_run_of_the_{}_benchmarks_ends_with_every_figure", suite.name);
        Trial::test(name, move || every_figure(&suite))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn every_figure(suite: &Suite) -> Result<(), Failed> {
    let lab = Path::new(env!("CARGO_BIN_EXE_peerward-lab"));
    let mut command = Command::new(lab);
    command.args(["bench", suite.name, "--quick", "--json"]);
    if let Some(agent) = agent_beside(lab) {
        command.env("PEERWARD_BIN", agent);
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
        .map_err(|error| format!("the last line is no JSON: {error}\n{told}"))?;
    assert!(output.status.success(), "{told}");
    for figure in suite.figures {
        let value = summary.get(figure).ok_or_else(|| format!("no {figure}\n{told}"))?;
        assert!(value.is_null() || value.as_f64().is_some_and(|value| value >= 0.0), "{figure}: {value}\n{told}");
    }
    for figure in suite.ours {
        assert!(summary.get(figure).is_some_and(Value::is_number), "{figure}\n{told}");
    }
    Ok(())
}

/// The agent that was built together with the lab, as in a test run of the whole workspace; otherwise the lab builds it.
fn agent_beside(lab: &Path) -> Option<PathBuf> {
    let named = env::var_os("PEERWARD_BIN").map(PathBuf::from);
    let beside = lab.with_file_name("peerward");
    named.or_else(|| beside.is_file().then_some(beside))
}
