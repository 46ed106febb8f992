//! What should be thought over before a configuration is loaded.

use crate::{
    agent::Candidate,
    config::Config,
    domain::{Class, IspId, RuleId, view::Snapshot},
    kernel::inspect,
    plan::Fib,
    select::{Policies, Standing},
};

/// What speaks against a configuration by itself.
pub(super) fn of(candidate: &Candidate, desired: &Fib) -> Vec<String> {
    let Candidate { config, catalogue, .. } = candidate;
    let mut concerns: Vec<String> = Vec::new();
    concerns.extend(inspect(&config.kernel, desired).err().map(|objection| objection.to_string()));
    concerns.extend(catalogue.ties().iter().map(|tie| tie.in_words(&config.policy.rules)));
    for (number, rule) in (0_u16..).zip(&config.policy.rules) {
        let is_for = |class: &Class| class.rule.is_some_and(|of| of.0 == number);
        if rule.matches.markets.is_empty() && !catalogue.classes().iter().any(is_for) {
            concerns
                .push(format!("rule \"{}\" (line {}) is for nothing that is steered", rule.name, rule.place.line));
        }
    }
    concerns.extend(unqualified(config));
    concerns
}

/// ISPs that are preferred somewhere though they are no qualified partners here.
fn unqualified(config: &Config) -> Vec<String> {
    let policies = Policies::resolve(config);
    let rules = (0_u16..).zip(&config.policy.rules).map(|(number, _)| Some(RuleId(number)));
    let preferred: Vec<IspId> = std::iter::once(None)
        .chain(rules)
        .flat_map(|rule| policies.of(rule).order())
        .filter(|(_, standing): &&(_, Standing)| standing.is_preferred())
        .map(|(uplink, _)| config.uplink(*uplink).isp)
        .collect();
    let known = (0_u16..).map(IspId).zip(policies.qualifications());
    known
        .filter(|(isp, found)| !found.qualified && preferred.contains(isp))
        .map(|(_, found)| format!("preferred without qualification: {}", found.reason))
        .collect()
}

/// What the running agent is, and the configuration is not.
pub(super) fn of_identity(candidate: &Candidate, snapshot: &Snapshot) -> Vec<String> {
    let config = &candidate.config;
    let mut concerns = Vec::new();
    let pairs =
        [("site.name", &snapshot.site, &config.site.name), ("site.market", &snapshot.market, &config.site.market)];
    for (key, stands, new) in pairs {
        if stands != new {
            concerns.push(format!("{key} is \"{stands}\" now and would be \"{new}\": is this file for this site?"));
        }
    }
    if snapshot.mode != config.kernel.mode.as_str() {
        concerns.push(format!("mode is {} now and would be {}", snapshot.mode, config.kernel.mode.as_str()));
    }
    concerns
}
