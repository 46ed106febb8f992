//! Finds what stands in Peerward's way on this router, and what others would suffer from it: tables, preferences, protocol
//! numbers and ids in use, settings of the kernel, other routing programs.
//!
//! [`gather`] reads (netlink, `/proc/sys`, files, processes) and changes nothing; [`examine`] is pure: evidence in,
//! findings out, worst first. Used by `peerward doctor` and by the agent at its start. Must never write anything.

mod evidence;
mod finding;
mod gather;
mod names;
mod networkd;
mod next_hops;
mod owners;
mod rules;
mod services;
mod settings;
mod tables;
mod uplinks;

#[cfg(test)]
mod tests;

pub use evidence::{AgentSocket, Evidence, Line, OtherAgent, Settings};
pub use finding::{Finding, Grade, Topic};
pub use gather::{Places, gather};
pub use names::{Name, Names};
pub use networkd::Networkd;

/// What the evidence says, worst first; what is well is said too, so that people see what was looked at.
pub fn examine(evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        uplinks::examine(evidence),
        tables::examine(evidence),
        rules::examine(evidence),
        next_hops::examine(evidence),
        settings::examine(evidence),
        services::examine(evidence),
    ]
    .concat();
    let missed = evidence.inventory.missed.iter();
    findings.extend(missed.map(|reason| Finding::skipped(Topic::Kernel, reason)));
    // Stable: within a grade, the order above is the order in which things build on one another.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}
