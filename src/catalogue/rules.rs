//! Which rule of policy a destination is for: the most specific one that fits.

use std::{cmp::Reverse, sync::Arc};

use ipnet::IpNet;

use crate::{
    config::{Config, Match, RegionMatch, Rule},
    domain::{Category, RuleId},
    partners::Registry,
};

/// What rules ask of a destination, but for its prefix.
#[derive(Debug, Clone)]
pub(super) struct Traits<'a> {
    pub service: &'a str,
    pub category: Option<Category>,
    pub region: Option<&'a str>,
    /// Service tags that list it.
    pub tags: Vec<&'a str>,
}

/// How closely a rule describes a destination; the greater one wins. Its fields are compared in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Closeness {
    /// Length of the longest prefix named that contains it.
    prefix: Option<u8>,
    tag: bool,
    /// Steps outwards from its Azure region to what is named: none for the region itself.
    region: Option<Reverse<usize>>,
    service: bool,
    category: bool,
    /// Steps outwards from the site's market.
    market: Option<Reverse<usize>>,
}

/// The rules that can apply at a site.
#[derive(Debug, Default)]
pub struct Rules {
    list: Vec<SiteRule>,
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct SiteRule {
    id: RuleId,
    name: String,
    matches: Match,
    market: Option<Reverse<usize>>,
}

/// The rules that fit a kind of destinations, whatever their prefixes.
#[derive(Debug, Default)]
pub(super) struct Shortlist<'a> {
    fitting: Vec<(Closeness, &'a SiteRule)>,
}

/// The rule for a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ruling {
    pub rule: RuleId,
    /// Another one that describes it as closely.
    pub tied: Option<RuleId>,
}

impl Rules {
    /// The rules of `config` that can apply at its site.
    pub fn of(config: &Config) -> Self {
        let site = &config.site.market;
        let list = (0..).map(RuleId).zip(&config.policy.rules).filter_map(|(id, rule)| {
            let market = nearest(&rule.matches.markets, site, &config.registry)?;
            Some(SiteRule { id, name: rule.name.clone(), matches: rule.matches.clone(), market })
        });
        Self { list: list.collect(), registry: Arc::clone(&config.registry) }
    }

    /// Name of a rule that can apply here.
    pub(super) fn name(&self, id: RuleId) -> Option<&str> {
        self.list.iter().find(|rule| rule.id == id).map(|rule| rule.name.as_str())
    }

    /// Whether a rule may be for one destination of a class and not for another. `tag` is the one that all are listed by,
    /// `regional` says that all are in one Azure region.
    pub(super) fn splits(&self, id: RuleId, tag: Option<&str>, regional: bool) -> bool {
        self.list.iter().find(|rule| rule.id == id).is_some_and(|SiteRule { matches, .. }| {
            let by_tag = !matches.tags.is_empty() && !tag.is_some_and(|tag| named(&matches.tags, tag));
            let by_region = !matches.regions.is_empty() && !regional;
            by_tag || by_region || !matches.prefixes.is_empty() || !matches.categories.is_empty()
        })
    }

    /// The rules that fit what is known of a destination.
    pub(super) fn shortlist(&self, traits: &Traits<'_>) -> Shortlist<'_> {
        let fitting = self.list.iter().filter_map(|rule| Some((self.closeness(rule, traits)?, rule)));
        Shortlist { fitting: fitting.collect() }
    }

    fn closeness(&self, rule: &SiteRule, traits: &Traits<'_>) -> Option<Closeness> {
        let Match { tags, services, categories, regions, .. } = &rule.matches;
        let region = match (regions.is_empty(), traits.region) {
            (true, _) => None,
            (false, None) => return None,
            (false, Some(region)) => Some(Reverse(self.steps_to(region, regions)?)),
        };
        let tag = fits(tags, |tag| traits.tags.iter().any(|of| of.eq_ignore_ascii_case(tag)))?;
        let service = fits(services, |service| service.eq_ignore_ascii_case(traits.service))?;
        let category = fits(categories, |category| traits.category == Some(*category))?;
        Some(Closeness { prefix: None, tag, region, service, category, market: rule.market })
    }

    /// Steps outwards from an Azure region to the nearest that is named: itself, its market, the market around that.
    fn steps_to(&self, region: &str, named: &[RegionMatch]) -> Option<usize> {
        let steps = named.iter().filter_map(|named| match named {
            RegionMatch::Region(name) => name.eq_ignore_ascii_case(region).then_some(0),
            RegionMatch::Market(market) => {
                let inner = self.registry.market_of_region(region)?;
                Some(1 + self.registry.distance(market, inner)?)
            }
        });
        steps.min()
    }
}

impl Shortlist<'_> {
    /// Whether the answer is the same for every prefix.
    pub fn is_settled(&self) -> bool {
        self.fitting.iter().all(|(_, rule)| rule.matches.prefixes.is_empty())
    }

    /// The rule for a prefix.
    pub fn ruling(&self, prefix: IpNet) -> Option<Ruling> {
        let mut best: Option<(Closeness, Ruling)> = None;
        for (closeness, rule) in &self.fitting {
            let Some(length) = longest(&rule.matches.prefixes, prefix) else { continue };
            let closeness = Closeness { prefix: length, ..*closeness };
            match &mut best {
                Some((known, ruling)) if closeness == *known => ruling.tied = ruling.tied.or(Some(rule.id)),
                Some((known, _)) if closeness < *known => {}
                _ => best = Some((closeness, Ruling { rule: rule.id, tied: None })),
            }
        }
        best.map(|(_, ruling)| ruling)
    }
}

/// Steps from the site's market to the nearest that is named; `None` when none contains it, and `Some(None)` when none is named.
#[allow(clippy::option_option, reason = "a rule that names no market is for every site")]
fn nearest(named: &[String], site: &str, registry: &Registry) -> Option<Option<Reverse<usize>>> {
    if named.is_empty() {
        return Some(None);
    }
    let steps = named.iter().filter_map(|market| registry.distance(market, site)).min()?;
    Some(Some(Reverse(steps)))
}

/// Length of the longest that contains `prefix`; `None` when none does, and `Some(None)` when none is named.
#[allow(clippy::option_option, reason = "a rule that names no prefix is for every prefix")]
fn longest(named: &[IpNet], prefix: IpNet) -> Option<Option<u8>> {
    if named.is_empty() {
        return Some(None);
    }
    named.iter().filter(|named| named.contains(&prefix)).map(IpNet::prefix_len).max().map(Some)
}

/// Whether a list is there at all; `None` when it is and nothing in it fits.
fn fits<T>(list: &[T], fits: impl Fn(&T) -> bool) -> Option<bool> {
    (list.is_empty() || list.iter().any(fits)).then_some(!list.is_empty())
}

fn named(names: &[String], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// Two rules that describe a destination equally closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// The one that stands first in the file, and is applied.
    pub applied: RuleId,
    /// The other.
    pub other: RuleId,
    /// The first destination for which this is so.
    pub example: IpNet,
}

impl Tie {
    /// In words, with the remedy.
    pub fn in_words(&self, rules: &[Rule]) -> String {
        let name = |id: RuleId| rules.get(usize::from(id.0)).map_or("", |rule| rule.name.as_str());
        format!(
            "rules \"{}\" and \"{}\" are equally specific for {}: name something in one of them that the other does not",
            name(self.applied),
            name(self.other),
            self.example
        )
    }
}
