//! `[policy]`.

use std::{collections::BTreeMap, time::Duration};

use super::site::known_market;
use crate::{
    config::{
        defaults,
        document::Placed,
        finding::Wrong,
        model::{Fallback, Policy, Sla, Strategy, Treatment},
        reader::{Item, Section},
        suggestion::{quoted, suggest},
        values::{OFF, duration, flag, one_of, share, text},
    },
    domain::IspId,
    partners::Registry,
};

const FALLBACKS: [(&str, Fallback); 2] = [("any", Fallback::Any), ("none", Fallback::None)];
const LONGEST_HOLD: Duration = Duration::from_secs(3600);
const EXAMPLE: &str = "\"kordia\"";
const NONE: &str = "name at least one ISP";

/// The policy, placed at its global preference; nothing when an order in it could not be read.
pub(super) fn read(
    mut section: Section<'_>,
    names: &[Placed<String>],
    registry: &Registry,
) -> Option<Placed<Policy>> {
    let preferred = section.require_item("preferred", EXAMPLE);
    let place = preferred.as_ref().map(|item| (item.path.clone(), item.span.clone()));
    let preferred = preferred.and_then(|item| order(item, names));
    let markets = markets(section.section("market"), names, registry);
    let sla = sla(section.section("sla"));
    let hold = duration(Duration::ZERO..=LONGEST_HOLD);
    let fallback = section.setting("fallback", defaults::FALLBACK, one_of(&FALLBACKS));
    let allow_unqualified = section.setting("allow_unqualified", defaults::ALLOW_UNQUALIFIED, flag);
    let leave_after = section.setting("leave_after", defaults::LEAVE_AFTER, &hold);
    let return_after = section.setting("return_after", defaults::RETURN_AFTER, &hold);
    section.finish();
    let (path, span) = place?;
    let value = Policy {
        preferred: preferred?,
        markets: markets?,
        allow_unqualified: allow_unqualified.value,
        treatment: Treatment {
            strategy: Strategy::Ordered,
            sla,
            fallback: fallback.value,
            leave_after: leave_after.value,
            return_after: return_after.value,
            stay_at_least: defaults::STAY_AT_LEAST,
            moves_per_hour: defaults::MOVES_PER_HOUR,
            move_windows: Vec::new(),
        },
        rules: Vec::new(),
    };
    Some(Placed { value, path, span: Some(span) })
}

/// Names of ISPs, best first, each once; nothing when one of them is not what it should be.
fn order(item: Item<'_>, names: &[Placed<String>]) -> Option<Vec<IspId>> {
    let document = item.document;
    let mut ids = Vec::new();
    let mut good = true;
    for name in item.elements(NONE, text) {
        match isp_named(&name.value, names, &ids) {
            Ok(id) => ids.push(id),
            Err(wrong) => {
                name.report(document, wrong);
                good = false;
            }
        }
    }
    (good && !ids.is_empty()).then_some(ids)
}

fn isp_named(name: &str, names: &[Placed<String>], before: &[IspId]) -> Result<IspId, Wrong> {
    let position = names.iter().position(|isp| isp.value == name);
    match position.and_then(|position| u16::try_from(position).ok()).map(IspId) {
        None if names.is_empty() => {
            Err(Wrong::new(format!("there is no ISP {}", quoted(name)), "add an [[isp]] table of that name"))
        }
        None => {
            let known = names.iter().map(|isp| isp.value.as_str());
            Err(Wrong::new(format!("there is no ISP {}", quoted(name)), suggest(name, known)))
        }
        Some(id) if before.contains(&id) => {
            Err(Wrong::new(format!("ISP {} is named twice", quoted(name)), "name each ISP once, best first"))
        }
        Some(id) => Ok(id),
    }
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

fn sla(mut section: Section<'_>) -> Sla {
    let range = duration(Duration::from_millis(1)..=Duration::from_secs(10));
    let rtt = section.setting("rtt", defaults::SLA_RTT, |item| match &item.value {
        toml::de::DeValue::String(word) if word == OFF => Ok(None),
        _ => range(item).map(Some),
    });
    let loss = section.setting("loss", defaults::SLA_LOSS, share);
    section.finish();
    Sla { rtt: rtt.value, loss: loss.value, ..Sla::default() }
}
