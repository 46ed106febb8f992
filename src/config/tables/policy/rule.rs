//! `[[policy.rule]]`.

use super::{
    matches,
    order::order_or_any,
    treatment::{self, Common},
};
use crate::{
    config::{
        document::Placed,
        model::{Destinations, Order, Place, Rule},
        reader::Section,
        values::plain_name,
    },
    domain::IspId,
    partners::Registry,
};

/// What a rule is read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'c> {
    /// Names of the ISPs, by position.
    pub names: &'c [Placed<String>],
    pub destinations: &'c Destinations,
    pub registry: &'c Registry,
    /// What a rule inherits.
    pub common: &'c Common,
    /// ISPs that are preferred somewhere without a rule.
    pub preferred: &'c [IspId],
}

/// A rule with the place of its name; nothing when it has none, or when its ISPs could not be read.
pub(super) fn read(mut section: Section<'_>, context: &Context<'_>) -> Option<(Placed<String>, Rule)> {
    let place = Place { line: section.line() };
    let name = section.require("name", "\"teams-asia\"", plain_name);
    let matches = matches::read(&mut section, context.destinations, context.registry);
    let isps = section.take("isps").map(|item| order_or_any(item, context.names));
    let common = treatment::read(&mut section, context.common, context.names);
    let document = section.document();
    section.finish();
    common.said.check_keys(document);
    let isps = match isps {
        Some(isps) => Some(isps?),
        None => None,
    };
    let all: Vec<IspId> = (0..).map(IspId).take(context.names.len()).collect();
    let among = match &isps {
        Some(Order::Listed(isps)) => isps,
        Some(Order::Any) => &all,
        None => context.preferred,
    };
    let (problem, fix) = match &isps {
        None => ("is in no list of preferred ISPs", "name it in isps, or remove its weight"),
        Some(_) => ("is not in isps", "add it there, or remove its weight"),
    };
    common.said.check_weights(document, among, problem, fix);
    let Common { allow_unqualified, said, treatment } = common;
    let treatment = said.treat(treatment, among);
    let name = name?;
    let rule = Rule { name: name.value.clone(), place, matches, isps, allow_unqualified, treatment };
    Some((name, rule))
}
