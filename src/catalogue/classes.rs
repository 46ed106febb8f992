//! The classes: what is steered, split by the rules of policy as far as these ask for it and no further.
//!
//! A class is named after what gives it its destinations (a service of Microsoft 365, a service tag, a list), the region where these
//! are decided region by region, the rule where that is for a part of it only, and the family:
//! `m365.exchange.ipv4`, `azure.azurecloud.japaneast.ipv4`, `m365.skype+teams-media.ipv4`. So a name follows from the
//! configuration alone, and stays what it is when Microsoft's lists change.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ipnet::IpNet;

use super::{
    Catalogue,
    kind::Kind,
    rules::{Rules, Ruling, Shortlist, Tie, Traits},
    statement::ClassKey,
    targets::{self, Candidates},
};
use crate::domain::{Category, Class, ClassId, Family, RuleId};

/// What makes destinations one class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Mould {
    /// Position among the keys of the catalogue.
    key: u32,
    /// Set where the key's destinations are decided region by region.
    region: Option<Arc<str>>,
    rule: Option<RuleId>,
    family: Family,
}

/// A class as it fills.
struct Draft {
    mould: Mould,
    prefixes: Vec<IpNet>,
    candidates: Candidates,
}

/// All of them.
#[derive(Default)]
struct Drafts {
    list: Vec<Draft>,
    positions: HashMap<Mould, u32>,
}

impl Drafts {
    fn position(&mut self, mould: Mould) -> u32 {
        if let Some(known) = self.positions.get(&mould) {
            return *known;
        }
        let position = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(Draft { mould: mould.clone(), prefixes: Vec::new(), candidates: Candidates::default() });
        self.positions.insert(mould, position);
        position
    }
}

/// What is answered once for all prefixes of a kind.
struct Ready<'r> {
    key: u32,
    region: Option<Arc<str>>,
    /// Of the statement that is trusted most.
    category: Option<Category>,
    shortlist: Shortlist<'r>,
    settled: bool,
    /// The draft of each family, once it is known and the same for all.
    drafts: [Option<u32>; 2],
}

impl Catalogue {
    /// Forms the classes anew, by other rules.
    pub fn classify(&mut self, rules: &Rules) {
        let mut ready: Vec<Option<Ready<'_>>> = self.kinds.iter().map(|kind| self.ready(kind, rules)).collect();
        let mut drafts = Drafts::default();
        let mut ties = Vec::new();
        let mut homes: Vec<Option<u32>> = Vec::with_capacity(self.index.rows().len());
        for row in self.index.rows() {
            let of_kind = ready.get_mut(row.kind as usize).and_then(Option::as_mut);
            let home = of_kind.map(|kind| (home(kind, row.prefix, &mut drafts, &mut ties), kind.category));
            if let Some(draft) = home.and_then(|(home, _)| drafts.list.get_mut(home as usize)) {
                draft.prefixes.push(row.prefix);
                draft.candidates.consider(row.prefix, home.and_then(|(_, category)| category));
            }
            homes.push(home.map(|(home, _)| home));
        }
        drop(ready);
        let (formed, positions) = self.formed(drafts, rules);
        let homes = homes.into_iter().map(|home| positions.get(home? as usize).copied());
        self.index.set_classes(homes);
        self.ties = ties;
        let candidates: Vec<Candidates>;
        (self.classes, candidates) = formed.into_iter().map(|formed| (formed.class, formed.candidates)).unzip();
        let of_each = self.classes.iter().zip(candidates);
        self.targets = of_each.map(|(class, candidates)| targets::of(self, class, candidates)).collect();
    }

    fn ready<'r>(&self, kind: &Kind, rules: &'r Rules) -> Option<Ready<'r>> {
        let claim = self.statements.get(kind.claim? as usize)?;
        let key = claim.steering?.class;
        let of_key = self.keys.get(key)?;
        let region = kind.region(&self.statements);
        let statements = kind.statements.iter().filter_map(|position| self.statements.get(*position as usize));
        let shortlist = rules.shortlist(&Traits {
            service: &claim.facts.service,
            category: claim.facts.category,
            region: region.map(AsRef::as_ref),
            tags: statements.filter_map(super::statement::Statement::tag).collect(),
        });
        Some(Ready {
            key: u32::try_from(key).ok()?,
            region: region.filter(|_| of_key.by_region && of_key.region.is_none()).cloned(),
            category: kind.facts(&self.statements).and_then(|facts| facts.category),
            settled: shortlist.is_settled(),
            shortlist,
            drafts: [None; 2],
        })
    }

    /// The classes, sorted by id, and the position of each draft's class among them.
    fn formed(&self, drafts: Drafts, rules: &Rules) -> (Vec<Formed>, Vec<u32>) {
        let mut positions = vec![u32::MAX; drafts.list.len()];
        let mut formed: BTreeMap<ClassId, (Formed, Vec<usize>)> = BTreeMap::new();
        for (number, Draft { mould, prefixes, candidates }) in drafts.list.into_iter().enumerate() {
            let Some(key) = self.keys.get(mould.key as usize) else { continue };
            let class = class(key, &mould, prefixes, rules);
            // A tag that is decided by region, and one of a region of it, come to the same.
            if let Some((whole, of)) = formed.get_mut(&class.id) {
                whole.class.prefixes = joined(&whole.class.prefixes, &class.prefixes);
                whole.candidates.join(candidates);
                of.push(number);
            } else {
                formed.insert(class.id.clone(), (Formed { class, candidates }, vec![number]));
            }
        }
        let mut classes = Vec::with_capacity(formed.len());
        for (position, (class, drafts)) in (0..).zip(formed.into_values()) {
            for draft in drafts {
                if let Some(entry) = positions.get_mut(draft) {
                    *entry = position;
                }
            }
            classes.push(class);
        }
        (classes, positions)
    }
}

/// A class with the prefixes that may represent it.
struct Formed {
    class: Class,
    candidates: Candidates,
}

/// Both, sorted.
fn joined(some: &[IpNet], more: &[IpNet]) -> Arc<[IpNet]> {
    let mut all = [some, more].concat();
    all.sort_unstable();
    all.into()
}

/// The draft that a prefix of the kind belongs to.
fn home(kind: &mut Ready<'_>, prefix: IpNet, drafts: &mut Drafts, ties: &mut Vec<Tie>) -> u32 {
    let family = Family::of_net(prefix);
    let of_family = usize::from(family == Family::Ipv6);
    if let Some(known) = kind.drafts.get(of_family).copied().flatten().filter(|_| kind.settled) {
        return known;
    }
    let ruling = kind.shortlist.ruling(prefix);
    if let Some(Ruling { rule, tied: Some(other) }) = ruling
        && ties.iter().all(|tie| (tie.applied, tie.other) != (rule, other))
    {
        ties.push(Tie { applied: rule, other, example: prefix });
    }
    let rule = ruling.map(|ruling| ruling.rule);
    let position = drafts.position(Mould { key: kind.key, region: kind.region.clone(), rule, family });
    if let Some(slot) = kind.drafts.get_mut(of_family) {
        *slot = Some(position);
    }
    position
}

fn class(key: &ClassKey, mould: &Mould, prefixes: Vec<IpNet>, rules: &Rules) -> Class {
    let region = mould.region.as_ref().or(key.region.as_ref());
    let partial = |rule: &RuleId| rules.splits(*rule, key.tag.as_deref(), region.is_some());
    let part = mould.rule.filter(partial).and_then(|rule| rules.name(rule));
    Class {
        id: id(key, mould.region.as_deref(), part, mould.family),
        family: mould.family,
        service: key.service.to_string(),
        region: region.map(ToString::to_string),
        prefixes: prefixes.into(),
        rule: mould.rule,
        zone: None,
    }
}

fn id(key: &ClassKey, region: Option<&str>, rule: Option<&str>, family: Family) -> ClassId {
    let mut text = key.stem.clone();
    for (mark, part) in [('.', region), ('+', rule)] {
        if let Some(part) = part {
            text.push(mark);
            text.push_str(part);
        }
    }
    ClassId::new(&format!("{text}.{family}"))
}
