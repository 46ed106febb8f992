//! Programs that manage routes and rules, and other agents.

use super::{AgentSocket, Evidence, Finding, Grade, Topic, networkd::Switch};

pub(super) fn examine(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = vec![networkd(evidence)];
    if evidence.network_manager {
        let text = "NetworkManager runs: it keeps to the routes and rules of its own connections";
        findings.push(Finding::ok(Topic::NetworkManager, text));
    }
    findings.extend(agents(evidence));
    findings
}

fn networkd(evidence: &Evidence) -> Finding {
    let Some(networkd) = &evidence.networkd else {
        return Finding::ok(Topic::Networkd, "systemd-networkd does not run");
    };
    let switches = [
        ("ManageForeignRoutes", &networkd.routes),
        ("ManageForeignRoutingPolicyRules", &networkd.rules),
        ("ManageForeignNextHops", &networkd.next_hops),
    ];
    // The last of them came with systemd 256; before, networkd left next hops of others alone.
    let [routes, rules, _] = switches;
    let on: Vec<String> = [routes, rules].into_iter().filter(|(_, switch)| switch.on).map(told).collect();
    if on.is_empty() {
        let text = "systemd-networkd runs, and leaves routes and rules of others alone";
        return Finding::ok(Topic::Networkd, text);
    }
    Finding::new(
        Grade::Warning,
        Topic::Networkd,
        format!("systemd-networkd runs, and removes what is not its own: {}", on.join(", ")),
        "when it starts, restarts or configures a link anew, it deletes Peerward's routes on its links and Peerward's \
         rules; Peerward puts them back within a second, but not while it does not run, and meanwhile nothing is steered",
        "`mkdir -p /etc/systemd/networkd.conf.d && printf \
         '[Network]\\nManageForeignRoutes=no\\nManageForeignRoutingPolicyRules=no\\nManageForeignNextHops=no\\n' \
         >/etc/systemd/networkd.conf.d/90-peerward.conf`, then restart systemd-networkd (systemd 249 or newer)",
    )
}

fn told((name, switch): (&str, &Switch)) -> String {
    match &switch.file {
        Some(file) => format!("{name}=yes ({file})"),
        None => format!("{name}=yes (the default)"),
    }
}

fn agents(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &evidence.socket {
        AgentSocket::Silent => findings.push(Finding::ok(Topic::Agents, "no agent answers on the control socket")),
        AgentSocket::Running(mode) => {
            findings.push(Finding::ok(Topic::Agents, format!("an agent runs, mode {mode}")));
        }
        AgentSocket::Ourselves => {}
        AgentSocket::Unknown(reason) => findings.push(Finding::skipped(Topic::Agents, reason)),
    }
    let here: Vec<String> = (evidence.agents.iter())
        .filter(|agent| agent.same_network == Some(true))
        .map(|agent| agent.pid.to_string())
        .collect();
    let expected = usize::from(matches!(evidence.socket, AgentSocket::Running(_)));
    let unknown = evidence.agents.iter().filter(|agent| agent.same_network.is_none()).count();
    if here.len() > expected && !matches!(evidence.socket, AgentSocket::Unknown(_)) {
        findings.push(second_agent(&here, expected));
    } else if unknown > expected.saturating_sub(here.len()) {
        let text = "other peerward processes run, and root alone may see whether in this network namespace";
        findings.push(Finding::skipped(Topic::Agents, text));
    }
    findings
}

fn second_agent(pids: &[String], expected: usize) -> Finding {
    let found = match expected {
        0 => format!(
            "an agent runs in this network namespace (process {}), on another control socket",
            pids.join(", ")
        ),
        _ => format!("several agents run in this network namespace: processes {}", pids.join(", ")),
    };
    Finding::new(
        Grade::Error,
        Topic::Agents,
        found,
        "two agents with the same tables and protocol number undo each other's work for ever",
        "stop all but one of them",
    )
}
