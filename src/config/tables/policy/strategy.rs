//! `strategy` and the keys that say more of it: `margin`, `margin_share`, `weights`.

use std::{collections::BTreeMap, time::Duration};

use super::order::known_isp;
use crate::{
    config::{
        defaults,
        document::{Document, Placed},
        finding::Wrong,
        model::{Margin, Strategy, Treatment},
        reader::{Item, Section},
        values::{duration, number, one_of, share},
    },
    domain::IspId,
};

const KINDS: [(&str, Kind); 3] =
    [("ordered", Kind::Ordered), ("fastest", Kind::Fastest), ("balanced", Kind::Balanced)];

const LARGEST_MARGIN: Duration = Duration::from_secs(1);

/// A strategy with what is said of the other ones too: `[policy]` may say it for the rules alone.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    kind: Kind,
    margin: Margin,
    weights: BTreeMap<IspId, u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ordered,
    Fastest,
    Balanced,
}

impl Default for Choice {
    fn default() -> Self {
        Self { kind: Kind::Ordered, margin: defaults::MARGIN, weights: BTreeMap::new() }
    }
}

impl Choice {
    /// The strategy among some ISPs.
    pub fn among(&self, isps: &[IspId]) -> Strategy {
        match self.kind {
            Kind::Ordered => Strategy::Ordered,
            Kind::Fastest => Strategy::Fastest(self.margin),
            Kind::Balanced => {
                let weights = self.weights.iter().filter(|(isp, _)| isps.contains(isp));
                Strategy::Balanced(weights.map(|(isp, weight)| (*isp, *weight)).collect())
            }
        }
    }
}

/// What one table says.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub choice: Choice,
    /// Keys that are there, with the one strategy that they say more of.
    keys: Vec<(Kind, Placed<()>)>,
    /// The ISPs that are given weights here.
    weights: Vec<Placed<IspId>>,
}

/// Reads it from a table; what the table does not say is as in `inherited`.
pub(super) fn read(section: &mut Section<'_>, inherited: &Choice, names: &[Placed<String>]) -> Said {
    let kind = section.setting("strategy", inherited.kind, one_of(&KINDS)).value;
    let margins = duration(Duration::ZERO..=LARGEST_MARGIN);
    let difference = section.setting("margin", inherited.margin.difference, margins);
    let share = section.setting("margin_share", inherited.margin.share, share);
    let margin = Margin { difference: difference.value, share: share.value };
    let mut keys = vec![(Kind::Fastest, difference.place()), (Kind::Fastest, share.place())];
    keys.retain(|(_, place)| place.span.is_some());
    let Some(item) = section.take("weights") else {
        let choice = Choice { kind, margin, weights: inherited.weights.clone() };
        return Said { choice, keys, weights: Vec::new() };
    };
    keys.push((Kind::Balanced, Placed { value: (), path: item.path.clone(), span: Some(item.span.clone()) }));
    let (weights, places) = weights(item, names);
    Said { choice: Choice { kind, margin, weights }, keys, weights: places }
}

fn weights(item: Item<'_>, names: &[Placed<String>]) -> (BTreeMap<IspId, u8>, Vec<Placed<IspId>>) {
    let document = item.document;
    let (mut weights, mut places) = (BTreeMap::new(), Vec::new());
    for (name, item) in item.into_section().map(Section::entries).unwrap_or_default() {
        let isp = known_isp(&name.value, names).map_err(|wrong| name.report(document, wrong));
        if let (Ok(isp), Some(weight)) = (isp, item.read(number(1..=u8::MAX))) {
            weights.insert(isp, weight);
            places.push(Placed { value: isp, path: name.path, span: name.span });
        }
    }
    (weights, places)
}

impl Said {
    /// A choice that no table says.
    pub fn of(choice: Choice) -> Self {
        Self { choice, keys: Vec::new(), weights: Vec::new() }
    }

    /// The treatment with the strategy that this is among some ISPs.
    pub fn treat(&self, treatment: Treatment, isps: &[IspId]) -> Treatment {
        Treatment { strategy: self.choice.among(isps), ..treatment }
    }

    /// A key that says more of another strategy than the one that is chosen says nothing.
    pub fn check_keys(&self, document: &Document<'_>) {
        let chosen = self.choice.kind;
        for (kind, place) in self.keys.iter().filter(|(kind, _)| *kind != chosen) {
            let problem = format!("has no effect with strategy = \"{}\"", chosen.as_str());
            let fix = format!("set strategy = \"{}\", or remove it", kind.as_str());
            place.report(document, Wrong::new(problem, fix));
        }
    }

    /// A weight of an ISP that is in no order weighs nothing.
    pub fn check_weights(&self, document: &Document<'_>, isps: &[IspId], problem: &str, fix: &str) {
        for weight in self.weights.iter().filter(|weight| !isps.contains(&weight.value)) {
            weight.report(document, Wrong::new(problem, fix));
        }
    }
}

impl Kind {
    fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}
