//! A decision accounted for: every candidate with its gates, and what would change the outcome.
//!
//! Made when somebody asks, not with every decision: spans in it are as of the asking, and decisions stay cheap.

use std::collections::BTreeMap;

use crate::domain::{Class, NextHop, UplinkId};

use super::{
    Candidate, Decision, Gate, Memory, Moment, Outlook, PathInput, Policies, Qualification,
    field::{Field, Runner},
    gates, outlook, verdict,
};

/// What the kernel offers for an uplink, beyond what a decision asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Interface of the uplink.
    pub interface: String,
    /// Its next hop, where it has one.
    pub next_hop: Option<NextHop>,
    /// Whether the router's own routes must lead by it to all of the class (`require_route`).
    pub needs_route: bool,
    /// What the path still needs to be up again, in words; absent when nothing is known of that.
    pub recovery: Option<String>,
}

/// An uplink as it was considered, gate by gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Accounted {
    /// What it comes to.
    pub candidate: Candidate,
    /// In the order in which they are applied, up to the first that lets nothing through.
    pub gates: Vec<Gate>,
}

/// A decision accounted for.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Every uplink, best first.
    pub candidates: Vec<Accounted>,
    /// What would change the decision, in the order of preference; at most one entry an uplink.
    pub outlook: Vec<Outlook>,
}

/// All that gates and outlook are made from.
pub(super) struct Case<'a> {
    pub field: &'a Field<'a>,
    pub class: &'a Class,
    pub memory: &'a Memory,
    pub ways: &'a BTreeMap<UplinkId, Way>,
    pub qualifications: &'a [Qualification],
    /// Uplinks in charge, the most preferred first.
    pub members: Vec<Runner<'a>>,
}

impl<'a> Case<'a> {
    /// The uplink in charge, the most preferred where several are.
    pub fn current(&self) -> Option<Runner<'a>> {
        self.members.first().copied()
    }

    /// Whether it is in charge.
    pub fn is_member(&self, runner: &Runner<'_>) -> bool {
        self.members.iter().any(|member| member.uplink() == runner.uplink())
    }

    /// What the kernel offers for it.
    pub fn way(&self, runner: &Runner<'_>) -> Option<&'a Way> {
        self.ways.get(&runner.uplink())
    }

    /// Whether its ISP is a qualified partner, and why.
    pub fn qualification(&self, runner: &Runner<'_>) -> Option<&'a Qualification> {
        self.qualifications.get(usize::from(runner.isp().0))
    }

    /// Whether the policy asks for it by name, and it may not stand there because it is not qualified.
    pub fn is_refused(&self, runner: &Runner<'_>) -> bool {
        let reason = self.qualification(runner).filter(|found| !found.qualified).map(|found| found.reason.as_str());
        !runner.is_preferred() && reason.is_some() && runner.note() == reason
    }
}

/// Accounts for the decision in force for a class, as things are now.
pub fn account(
    policies: &Policies,
    class: &Class,
    paths: &BTreeMap<UplinkId, PathInput>,
    ways: &BTreeMap<UplinkId, Way>,
    decision: &Decision,
    now: impl Into<Moment>,
) -> Account {
    let memory = decision.memory();
    let field = Field::new(policies.of(class.rule), paths, &memory, now.into());
    let members = decision.shares.iter().filter_map(|share| field.runner(share.uplink)).collect();
    let case =
        Case { field: &field, class, memory: &memory, ways, qualifications: policies.qualifications(), members };
    let gates = |uplink| field.runner(uplink).map(|runner| gates::of(&case, &runner)).unwrap_or_default();
    let candidates = verdict::candidates(&field, decision.chosen);
    Account {
        candidates: candidates
            .into_iter()
            .map(|candidate| Accounted { gates: gates(candidate.uplink), candidate })
            .collect(),
        outlook: outlook::of(&case),
    }
}
