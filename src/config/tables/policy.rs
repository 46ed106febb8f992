//! `[policy]`.

mod matches;
mod order;
mod rule;
mod strategy;
mod treatment;

use std::collections::BTreeMap;

use super::{once::once, site::known_market};
use crate::{
    config::{
        document::{Document, Placed},
        finding::Wrong,
        model::{Destinations, Order, Policy, Rule},
        reader::Section,
        suggestion::quoted,
    },
    domain::IspId,
    partners::Registry,
};
use order::order;
use rule::Context;
use treatment::Common;

const EXAMPLE: &str = "\"kordia\"";
const MOST_RULES: usize = 64;

/// The policy, with the places that findings about it as a whole are told at.
#[derive(Debug)]
pub(super) struct Written {
    /// Placed at its global preference.
    pub policy: Placed<Policy>,
    /// Names of its rules, by position.
    pub rules: Vec<Placed<String>>,
}

/// What it is read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'s> {
    /// Names of the ISPs, by position.
    pub names: &'s [Placed<String>],
    pub destinations: &'s Destinations,
    pub registry: &'s Registry,
}

/// Reads it; nothing when an order in it could not be read.
pub(super) fn read(mut section: Section<'_>, around: Surroundings<'_>) -> Option<Written> {
    let Surroundings { names, destinations, registry } = around;
    let document = section.document();
    let preferred = section.require_item("preferred", EXAMPLE);
    let place =
        preferred.as_ref().map(|item| Placed { value: (), path: item.path.clone(), span: Some(item.span.clone()) });
    let preferred = preferred.and_then(|item| order(item, names));
    let markets = markets(section.section("market"), names, registry);
    let common = treatment::read(&mut section, &Common::defaults(), names);
    let rules = section.sections("rule");
    section.finish();

    let somewhere = preferred.iter().chain(markets.iter().flat_map(BTreeMap::values)).flatten();
    let somewhere: Vec<IspId> = somewhere.copied().collect();
    let context = Context { names, destinations, registry, common: &common, preferred: &somewhere };
    let (rule_names, rules) = all_rules(document, rules, &context);
    let (preferred, markets) = (preferred?, markets?);
    check_weights(document, &common, &somewhere, &rules, names.len());
    let Common { allow_unqualified, said, treatment } = common;
    let treatment = said.treat(treatment, &somewhere);
    let Placed { path, span, .. } = place?;
    let value = Policy { preferred, markets, allow_unqualified, treatment, rules };
    Some(Written { policy: Placed { value, path, span }, rules: rule_names })
}

fn all_rules(
    document: &Document<'_>,
    sections: Vec<Section<'_>>,
    context: &Context<'_>,
) -> (Vec<Placed<String>>, Vec<Rule>) {
    if let Some(section) = sections.get(MOST_RULES) {
        section.report_itself(Wrong::new(format!("there are more than {MOST_RULES} rules"), "join some"));
    }
    let rules = sections.into_iter().take(MOST_RULES).filter_map(|section| rule::read(section, context));
    let (names, rules): (Vec<_>, Vec<_>) = rules.unzip();
    once(document, &names, "rule", "give each rule a name of its own");
    (names, rules)
}

/// Weights of `[policy]` may be for its rules, but must be for ISPs of some order.
fn check_weights(document: &Document<'_>, common: &Common, preferred: &[IspId], rules: &[Rule], isps: usize) {
    let of_rules = rules.iter().flat_map(|rule| match &rule.isps {
        Some(Order::Listed(isps)) => isps.clone(),
        Some(Order::Any) => (0..).map(IspId).take(isps).collect(),
        None => Vec::new(),
    });
    let named: Vec<IspId> = of_rules.chain(preferred.iter().copied()).collect();
    let fix = "add it to preferred, or remove its weight";
    common.said.check_weights(document, &named, "is in no list of preferred ISPs", fix);
}

fn markets(
    section: Section<'_>,
    names: &[Placed<String>],
    registry: &Registry,
) -> Option<BTreeMap<String, Vec<IspId>>> {
    let document = section.document();
    let mut markets = BTreeMap::new();
    let mut good = true;
    for (name, item) in section.entries() {
        let ids = item.into_section().and_then(|section| market_override(section, names));
        let report = |wrong| name.report(document, wrong);
        let added = match (known_market(&name.value, registry).map_err(report), ids) {
            (Ok(market), Some(ids)) => add(&mut markets, market, ids).map_err(report),
            _ => Err(()),
        };
        good &= added.is_ok();
    }
    good.then_some(markets)
}

/// Two spellings of one market are one market.
fn add(markets: &mut BTreeMap<String, Vec<IspId>>, market: String, ids: Vec<IspId>) -> Result<(), Wrong> {
    let wrong = Wrong::new(format!("{} has an override already", quoted(&market)), "join the two tables");
    match markets.insert(market, ids) {
        None => Ok(()),
        Some(_) => Err(wrong),
    }
}

fn market_override(mut section: Section<'_>, names: &[Placed<String>]) -> Option<Vec<IspId>> {
    let preferred = section.require_item("preferred", EXAMPLE);
    section.finish();
    order(preferred?, names)
}
