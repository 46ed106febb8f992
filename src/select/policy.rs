//! The policy of the fleet, resolved for this site.

use std::{sync::Arc, time::Duration};

use crate::{
    config::{Config, DayWindow, Margin, Sla, Strategy, Treatment},
    domain::{IspId, RuleId, UplinkId},
    partners::Registry,
};

use super::{
    Label,
    qualification::{Qualification, qualify},
    ranking::{self, Standing},
};

/// However many paths there are: nothing that answers is kept waiting for longer.
const LONGEST_FIRST_MEASUREMENT: Duration = Duration::from_secs(60);

/// What the policy says of one uplink.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub uplink: UplinkId,
    pub isp: IspId,
    pub label: Label,
    pub standing: Standing,
    /// Whether its ISP is a qualified partner here.
    pub qualified: bool,
    /// Its part where several uplinks are used at once.
    pub weight: u8,
    /// What people should know about the standing, in words.
    pub note: Option<Arc<str>>,
}

/// How the preferred uplinks stand to one another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ranking {
    Ordered,
    Fastest(Margin),
    Balanced,
}

/// The policy for some classes, resolved for this site: the order of the uplinks and how one of them is chosen.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) market: Arc<str>,
    /// Name of the rule that it follows from.
    pub(super) rule: Option<Arc<str>>,
    /// Every uplink of the configuration, most preferred first.
    pub(super) entries: Vec<Entry>,
    pub(super) ranking: Ranking,
    pub(super) sla: Sla,
    pub(super) leave_after: Duration,
    pub(super) return_after: Duration,
    pub(super) stay_at_least: Duration,
    pub(super) moves_per_hour: u32,
    pub(super) move_windows: Vec<DayWindow>,
    /// How long the first measurements of a path may take.
    pub(super) first_measurement: Duration,
    order: Vec<(UplinkId, Standing)>,
}

impl Policy {
    fn new(config: &Config, rule: Option<&str>, treatment: &Treatment, entries: Vec<Entry>) -> Self {
        Self {
            market: Arc::from(config.site.market.as_str()),
            rule: rule.map(Arc::from),
            order: entries.iter().map(|entry| (entry.uplink, entry.standing)).collect(),
            entries,
            ranking: match treatment.strategy {
                Strategy::Ordered => Ranking::Ordered,
                Strategy::Fastest(margin) => Ranking::Fastest(margin),
                Strategy::Balanced(_) => Ranking::Balanced,
            },
            sla: treatment.sla,
            leave_after: treatment.leave_after,
            return_after: treatment.return_after,
            stay_at_least: treatment.stay_at_least,
            moves_per_hour: treatment.moves_per_hour.max(1),
            move_windows: treatment.move_windows.clone(),
            first_measurement: first_measurement(config, config.probe.interval),
        }
    }

    /// Every uplink with its standing, most preferred first.
    pub fn order(&self) -> &[(UplinkId, Standing)] {
        &self.order
    }

    /// Whether several uplinks may be in charge of a class at once.
    pub fn is_balanced(&self) -> bool {
        self.ranking == Ranking::Balanced
    }

    /// How long a path may stay unknown at most before nothing waits for it any longer.
    pub fn first_measurement(&self) -> Duration {
        self.first_measurement
    }
}

/// The policy of every class of a site. Made once per configuration.
#[derive(Debug, Clone)]
pub struct Policies {
    /// For classes that no rule is for.
    general: Policy,
    /// By position of the rule.
    of_rules: Vec<Policy>,
    qualifications: Vec<Qualification>,
}

impl Policies {
    /// Resolves the policy of `config` for its site.
    pub fn resolve(config: &Config) -> Self {
        let (market, registry) = (&config.site.market, &*config.registry);
        let qualifications = config.isps.iter().map(|isp| qualify(isp, market, registry)).collect();
        Self::ranked(config, market_override(config, registry), qualifications)
    }

    /// Puts the ISPs in order, by an override for the site's market and these qualifications.
    pub(super) fn ranked(config: &Config, first: &[IspId], qualifications: Vec<Qualification>) -> Self {
        let general = ranking::general(config, first, &qualifications);
        let of_rule = |rule: &crate::config::Rule| {
            let entries = ranking::of_rule(config, rule, &general, &qualifications);
            Policy::new(config, Some(&rule.name), &rule.treatment, entries)
        };
        Self {
            of_rules: config.policy.rules.iter().map(of_rule).collect(),
            general: Policy::new(config, None, &config.policy.treatment, general.clone()),
            qualifications,
        }
    }

    /// With paths that are really probed once every `pace`, because there are many of them.
    #[must_use]
    pub fn paced(mut self, config: &Config, pace: Duration) -> Self {
        for policy in self.of_rules.iter_mut().chain([&mut self.general]) {
            policy.first_measurement = first_measurement(config, pace);
        }
        self
    }

    /// The policy of classes that this rule is for, or none.
    pub fn of(&self, rule: Option<RuleId>) -> &Policy {
        rule.and_then(|rule| self.of_rules.get(usize::from(rule.0))).unwrap_or(&self.general)
    }

    /// Qualification of each ISP, by position in the configuration.
    pub fn qualifications(&self) -> &[Qualification] {
        &self.qualifications
    }
}

/// The override whose market is, or most narrowly contains, the site's.
fn market_override<'a>(config: &'a Config, registry: &Registry) -> &'a [IspId] {
    let markets = &config.policy.markets;
    let nearest = registry.nearest(markets.keys().map(String::as_str), &config.site.market);
    nearest.and_then(|market| markets.get(market)).map_or(&[], Vec::as_slice)
}

/// A path leaves `unknown` after at most `up_after + down_after` probes; two more intervals for the jitter of the
/// schedule, and the time-out of the last probe.
fn first_measurement(config: &Config, pace: Duration) -> Duration {
    let probe = &config.probe;
    let probes = probe.up_after.saturating_add(probe.down_after).saturating_add(2);
    pace.saturating_mul(probes).saturating_add(probe.timeout).min(LONGEST_FIRST_MEASUREMENT)
}
