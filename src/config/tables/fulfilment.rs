//! Whether anybody may carry the traffic at this site: with `fallback = "none"`, somebody must.

use super::policy::Written;
use crate::{
    config::{
        document::Document,
        finding::Wrong,
        model::{Fallback, Isp, Order, Policy, Rule, Site},
        suggestion::listed,
    },
    domain::IspId,
    partners::Registry,
};

/// What the question is asked of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'q> {
    pub site: &'q Site,
    pub isps: &'q [Isp],
    pub registry: &'q Registry,
}

/// Asks it of the policy, and of every rule that is for this site.
pub(super) fn check(document: &Document<'_>, question: Question<'_>, written: &Written) {
    let policy = &written.policy.value;
    let named = named_by_policy(question, policy);
    let may_lack = policy.treatment.fallback == Fallback::Any || policy.allow_unqualified;
    let fix = "prefer another ISP, set fallback = \"any\", or set allow_unqualified = true";
    let unfulfilled = if may_lack { None } else { nobody(question, &named, "that is preferred", fix) };
    let told = unfulfilled.is_some();
    if let Some(wrong) = unfulfilled {
        written.policy.report(document, wrong);
    }
    for (name, rule) in written.rules.iter().zip(&policy.rules) {
        // A rule without ISPs of its own has those of the policy, of which it may have been told already.
        let is_as_policy = rule.isps.is_none() && (told || policy.allow_unqualified);
        if !is_as_policy && let Some(wrong) = lacking(question, rule, &named) {
            name.report(document, wrong);
        }
    }
}

/// What is wrong with a rule that is for this site; `preferred` are the ISPs without it.
fn lacking(question: Question<'_>, rule: &Rule, preferred: &[IspId]) -> Option<Wrong> {
    // Who may stand in the policy's own order is for the policy to say.
    let may_lack = rule.allow_unqualified && rule.isps.is_some();
    if may_lack || rule.treatment.fallback == Fallback::Any || !is_for_site(question, rule) {
        return None;
    }
    let all: Vec<IspId> = (0..).map(IspId).take(question.isps.len()).collect();
    let (named, whose) = match &rule.isps {
        None => (preferred, "that is preferred"),
        Some(Order::Listed(isps)) => (isps.as_slice(), "of the rule"),
        Some(Order::Any) => (all.as_slice(), "at all"),
    };
    nobody(question, named, whose, "name other isps, set fallback = \"any\", or set allow_unqualified = true")
}

/// ISPs of the market's override, then those that are preferred globally.
fn named_by_policy(question: Question<'_>, policy: &Policy) -> Vec<IspId> {
    let Policy { preferred, markets, .. } = policy;
    let nearest = question.registry.nearest(markets.keys().map(String::as_str), &question.site.market);
    let first = nearest.and_then(|market| markets.get(market)).into_iter().flatten();
    first.chain(preferred).copied().collect()
}

fn is_for_site(Question { site, registry, .. }: Question<'_>, rule: &Rule) -> bool {
    let markets = &rule.matches.markets;
    markets.is_empty() || markets.iter().any(|market| registry.contains(market, &site.market))
}

/// What is wrong when none of them is qualified here.
fn nobody(question: Question<'_>, named: &[IspId], whose: &str, fix: &str) -> Option<Wrong> {
    let Question { site, isps, registry } = question;
    let named = isps_of(named, isps);
    if named.iter().any(|isp| is_qualified(isp, &site.market, registry)) {
        return None;
    }
    let where_else = listed(named.iter().map(|isp| qualified_elsewhere(isp, registry)));
    let market = &site.market;
    let problem = format!(
        "no ISP {whose} is qualified in {market}, and fallback is \"none\", so nothing would be steered: {where_else}"
    );
    Some(Wrong::new(problem, fix))
}

/// Each once, in order.
fn isps_of<'i>(ids: &[IspId], isps: &'i [Isp]) -> Vec<&'i Isp> {
    let mut seen = Vec::new();
    for id in ids {
        if !seen.contains(id) {
            seen.push(*id);
        }
    }
    seen.into_iter().filter_map(|id| isps.get(usize::from(id.0))).collect()
}

fn is_qualified(isp: &Isp, market: &str, registry: &Registry) -> bool {
    isp.qualified_in.iter().any(|outer| registry.contains(outer, market))
        || isp.partner.as_ref().is_some_and(|partner| registry.qualification(partner, market).is_some())
}

fn qualified_elsewhere(isp: &Isp, registry: &Registry) -> String {
    let listed = isp.partner.iter().flat_map(|partner| registry.markets_of(partner));
    let mut markets: Vec<&str> = isp.qualified_in.iter().map(String::as_str).chain(listed).collect();
    markets.sort_unstable();
    markets.dedup();
    match markets.as_slice() {
        [] => format!("{} is qualified nowhere", isp.name),
        markets => format!("{} is qualified in {}", isp.name, markets.join(" and ")),
    }
}
