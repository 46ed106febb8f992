//! `[policy]` with its rules: what a rule inherits is written into it.

use std::fmt::{Display, Result, Write};

use super::{list, quoted};
use crate::{
    config::{
        model::{Config, Fallback, Match, Order, RegionMatch, Rule, Sla, Strategy, Treatment},
        values::{OFF, in_day, in_percent, in_units},
    },
    domain::IspId,
};

pub(super) fn write(to: &mut String, config: &Config) -> Result {
    let policy = &config.policy;
    writeln!(to, "\n[policy]\npreferred = {}", names(&policy.preferred, config))?;
    writeln!(to, "allow_unqualified = {}", policy.allow_unqualified)?;
    treatment(to, &policy.treatment, config)?;
    sla(to, "policy.sla", &policy.treatment.sla)?;
    for (market, isps) in &policy.markets {
        writeln!(to, "\n[policy.market.{}]\npreferred = {}", quoted(market), names(isps, config))?;
    }
    policy.rules.iter().try_for_each(|rule| write_rule(to, rule, config))
}

fn write_rule(to: &mut String, rule: &Rule, config: &Config) -> Result {
    writeln!(to, "\n[[policy.rule]]\nname = {}", quoted(&rule.name))?;
    matches(to, &rule.matches)?;
    match &rule.isps {
        Some(Order::Listed(isps)) => writeln!(to, "isps = {}", names(isps, config))?,
        Some(Order::Any) => writeln!(to, "isps = [\"*\"]")?,
        None => {}
    }
    writeln!(to, "allow_unqualified = {}", rule.allow_unqualified)?;
    treatment(to, &rule.treatment, config)?;
    sla(to, "policy.rule.sla", &rule.treatment.sla)
}

fn matches(to: &mut String, matches: &Match) -> Result {
    let regions = matches.regions.iter().map(|region| match region {
        RegionMatch::Region(name) | RegionMatch::Market(name) => name,
    });
    values(to, "service", &matches.services)?;
    values(to, "category", &matches.categories)?;
    values(to, "region", regions)?;
    values(to, "tag", &matches.tags)?;
    values(to, "prefix", &matches.prefixes)?;
    values(to, "market", &matches.markets)
}

/// A list of values; nothing when there are none.
fn values<T: Display>(to: &mut String, key: &str, values: impl IntoIterator<Item = T>) -> Result {
    let mut values = values.into_iter().map(|value| quoted(&value.to_string())).peekable();
    if values.peek().is_none() { Ok(()) } else { writeln!(to, "{key} = {}", list(values)) }
}

fn treatment(to: &mut String, treatment: &Treatment, config: &Config) -> Result {
    strategy(to, &treatment.strategy, config)?;
    let fallback = match treatment.fallback {
        Fallback::Any => "any",
        Fallback::None => "none",
    };
    writeln!(to, "fallback = \"{fallback}\"\nleave_after = \"{}\"", in_units(treatment.leave_after))?;
    writeln!(to, "return_after = \"{}\"", in_units(treatment.return_after))?;
    writeln!(to, "stay_at_least = \"{}\"", in_units(treatment.stay_at_least))?;
    writeln!(to, "moves_per_hour = {}", treatment.moves_per_hour)?;
    let windows = treatment.move_windows.iter().map(|window| quoted(&in_day(*window)));
    writeln!(to, "move_windows = {}", list(windows))
}

fn strategy(to: &mut String, strategy: &Strategy, config: &Config) -> Result {
    match strategy {
        Strategy::Ordered => writeln!(to, "strategy = \"ordered\""),
        Strategy::Fastest(margin) => {
            writeln!(to, "strategy = \"fastest\"\nmargin = \"{}\"", in_units(margin.difference))?;
            writeln!(to, "margin_share = \"{}\"", in_percent(margin.share))
        }
        Strategy::Balanced(weights) => {
            let weights = weights.iter().map(|(isp, weight)| format!("{} = {weight}", name(*isp, config)));
            let weights = weights.collect::<Vec<_>>().join(", ");
            writeln!(to, "strategy = \"balanced\"\nweights = {{ {weights} }}")
        }
    }
}

fn sla(to: &mut String, header: &str, sla: &Sla) -> Result {
    let time = |span: Option<_>| span.map_or_else(|| OFF.to_owned(), in_units);
    let loss = sla.loss.map_or_else(|| OFF.to_owned(), in_percent);
    writeln!(to, "\n[{header}]\nrtt = \"{}\"\nrtt_percentile = {}", time(sla.rtt), sla.percentile.0)?;
    writeln!(to, "jitter = \"{}\"\nloss = \"{loss}\"\nwindow = \"{}\"", time(sla.jitter), time(sla.window))
}

fn names(isps: &[IspId], config: &Config) -> String {
    list(isps.iter().map(|isp| name(*isp, config)))
}

fn name(isp: IspId, config: &Config) -> String {
    quoted(&config.isp(isp).name)
}
