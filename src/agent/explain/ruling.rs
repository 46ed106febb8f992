//! What the policy of a class goes by: the rule and its place, or where the order of the ISPs comes from without one.

use super::Engine;
use crate::{
    config::{Order, Rule},
    domain::{Class, view::RulingView},
};

/// What the policy of `class` goes by; the file is for whoever knows it to add.
pub(super) fn of(engine: &Engine, class: &Class) -> RulingView {
    let config = &engine.config;
    let rule = class.rule.and_then(|rule| config.policy.rules.get(usize::from(rule.0)));
    let tie = engine.catalogue.ties().iter().find(|tie| Some(tie.applied) == class.rule);
    RulingView {
        rule: rule.map(|rule| rule.name.clone()),
        file: None,
        line: rule.map(|rule| rule.place.line),
        order: order(engine, rule),
        tie: tie.map(|tie| tie.in_words(&config.policy.rules)),
    }
}

fn order(engine: &Engine, rule: Option<&Rule>) -> String {
    match rule.map(|rule| &rule.isps) {
        Some(Some(Order::Listed(_))) => "the ISPs that the rule names".to_owned(),
        Some(Some(Order::Any)) => "any ISP, by the rule".to_owned(),
        Some(None) | None => general(engine),
    }
}

/// The order where no rule names ISPs.
fn general(engine: &Engine) -> String {
    let config = &engine.config;
    let site = &config.site.market;
    let overrides = config.policy.markets.keys().map(String::as_str);
    match config.registry.nearest(overrides, site) {
        Some(market) if market == site => format!("market override for {market}"),
        Some(market) => format!("market override for {market}, which contains {site}"),
        None => "global preference".to_owned(),
    }
}
