//! The order of the uplinks: by a rule, by the market's override, by the global preference, and what is left.

use std::{fmt, sync::Arc};

use crate::{
    config::{Config, Fallback, Order, Rule, Strategy},
    domain::{IspId, UplinkId},
};

use super::{Label, Qualification, policy::Entry};

/// Why an uplink stands where it stands in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Named by the rule that is for the class.
    Rule,
    /// Named by the override of the site's market.
    MarketOverride,
    /// Named by the global preference, and qualified here.
    GlobalPreference,
    /// Not preferred here; reached by `fallback = "any"`.
    Fallback,
    /// Never used: not preferred here, and `fallback = "none"`.
    Excluded,
}

impl Standing {
    /// Whether the policy prefers it here.
    pub fn is_preferred(self) -> bool {
        matches!(self, Self::Rule | Self::MarketOverride | Self::GlobalPreference)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rule => "rule",
            Self::MarketOverride => "market override",
            Self::GlobalPreference => "global preference",
            Self::Fallback => "fallback",
            Self::Excluded => "excluded",
        })
    }
}

/// One ISP in the order.
struct Place {
    isp: IspId,
    standing: Standing,
    /// Whether somebody asked for it by name, though it may not stand there.
    named: bool,
}

/// The order where no rule says otherwise: the ISPs of the override, those of the global preference, then all others in
/// file order; the uplinks of an ISP in its own order.
pub(super) fn general(config: &Config, first: &[IspId], qualifications: &[Qualification]) -> Vec<Entry> {
    let policy = &config.policy;
    let may_stand = |isp: IspId| policy.allow_unqualified || is_qualified(qualifications, isp);
    let named = (first.iter().map(|&isp| (isp, Standing::MarketOverride)))
        .chain(policy.preferred.iter().map(|&isp| (isp, Standing::GlobalPreference)));
    let preferred = named.clone().filter(|&(isp, _)| may_stand(isp));
    let others = config.uplinks.iter().map(|uplink| (uplink.isp, rest(policy.treatment.fallback)));
    let names: Vec<IspId> = named.map(|(isp, _)| isp).collect();
    let places = each_once(preferred.chain(others), |isp| names.contains(&isp));
    entries(config, places, &policy.treatment.strategy, qualifications)
}

/// The order by a rule: its ISPs, then, where it falls back to any, the others as they stand without it.
pub(super) fn of_rule(
    config: &Config,
    rule: &Rule,
    general: &[Entry],
    qualifications: &[Qualification],
) -> Vec<Entry> {
    let may_stand = |isp: IspId| rule.allow_unqualified || is_qualified(qualifications, isp);
    let fallback = rest(rule.treatment.fallback);
    let of_general = general.iter().map(|entry| entry.isp);
    let (first, names): (Vec<IspId>, &[IspId]) = match &rule.isps {
        None => {
            let inherited = general.iter().map(|entry| {
                let standing = if entry.standing.is_preferred() { entry.standing } else { fallback };
                (entry.isp, standing)
            });
            let places = each_once(inherited, |_| false);
            let entries = entries(config, places, &rule.treatment.strategy, qualifications);
            return entries.into_iter().map(|entry| noted_as(general, entry)).collect();
        }
        Some(Order::Any) => (of_general.clone().collect(), &[]),
        Some(Order::Listed(isps)) => (isps.clone(), isps),
    };
    let of_rule = first.into_iter().filter(|isp| may_stand(*isp)).map(|isp| (isp, Standing::Rule));
    let places = each_once(of_rule.chain(of_general.map(|isp| (isp, fallback))), |isp| names.contains(&isp));
    entries(config, places, &rule.treatment.strategy, qualifications)
}

/// With what people should know about it where no rule says otherwise, because the rule does not change it.
fn noted_as(general: &[Entry], entry: Entry) -> Entry {
    let same = general.iter().find(|other| other.uplink == entry.uplink && other.standing == entry.standing);
    match same {
        Some(same) => Entry { note: same.note.clone(), ..entry },
        None => entry,
    }
}

fn is_qualified(qualifications: &[Qualification], isp: IspId) -> bool {
    qualifications.get(usize::from(isp.0)).is_some_and(|found| found.qualified)
}

fn rest(fallback: Fallback) -> Standing {
    match fallback {
        Fallback::Any => Standing::Fallback,
        Fallback::None => Standing::Excluded,
    }
}

/// Each ISP where it comes first.
fn each_once(isps: impl Iterator<Item = (IspId, Standing)>, named: impl Fn(IspId) -> bool) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (isp, standing) in isps {
        if places.iter().all(|place| place.isp != isp) {
            places.push(Place { isp, standing, named: named(isp) });
        }
    }
    places
}

fn entries(config: &Config, places: Vec<Place>, strategy: &Strategy, qualifications: &[Qualification]) -> Vec<Entry> {
    let weight = |isp: IspId| match strategy {
        Strategy::Balanced(weights) => weights.get(&isp).copied().unwrap_or(1),
        Strategy::Ordered | Strategy::Fastest(_) => 1,
    };
    let of_place = |place: Place| {
        let note = note(&place, qualifications);
        uplinks_of(config, place.isp).map(move |uplink| (uplink, place.isp, place.standing, note.clone()))
    };
    places
        .into_iter()
        .flat_map(of_place)
        .map(|(uplink, isp, standing, note)| Entry {
            uplink,
            isp,
            label: label(config, uplink),
            standing,
            qualified: is_qualified(qualifications, isp),
            weight: weight(isp),
            note,
        })
        .collect()
}

fn uplinks_of(config: &Config, isp: IspId) -> impl Iterator<Item = UplinkId> {
    config.isps.get(usize::from(isp.0)).into_iter().flat_map(|isp| isp.uplinks.iter().copied())
}

fn label(config: &Config, uplink: UplinkId) -> Label {
    let isp = config.isp(config.uplink(uplink).isp);
    Label {
        uplink: Arc::from(config.uplink(uplink).name.as_str()),
        isp: Arc::from(isp.name.as_str()),
        sole: isp.uplinks.len() == 1,
    }
}

fn note(place: &Place, qualifications: &[Qualification]) -> Option<Arc<str>> {
    let found = qualifications.get(usize::from(place.isp.0));
    let refusal = found.filter(|found| !found.qualified).map(|found| &found.reason);
    let text = match (place.standing, refusal) {
        (standing, Some(reason)) if standing.is_preferred() => {
            format!("{reason}; allowed by `allow_unqualified`")
        }
        (Standing::Fallback | Standing::Excluded, Some(reason)) if place.named => reason.clone(),
        (Standing::Excluded, _) => "not preferred here, and `fallback` is \"none\"".to_owned(),
        _ => return None,
    };
    Some(Arc::from(text))
}
