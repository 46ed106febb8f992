//! The policy of the fleet, resolved for this site.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    config::{Config, Fallback},
    domain::{IspId, UplinkId},
    partners::Registry,
};

use super::{
    Label,
    qualification::{Qualification, qualify},
};

/// However many paths there are: nothing that answers is kept waiting for longer.
const LONGEST_FIRST_MEASUREMENT: Duration = Duration::from_secs(60);

/// Why an uplink stands where it stands in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Named by the override of the site's market.
    MarketOverride,
    /// Named by the global preference, and qualified here.
    GlobalPreference,
    /// Not preferred here; reached by `fallback = "any"`.
    Fallback,
    /// Never used: not preferred here, and `fallback = "none"`.
    Excluded,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::MarketOverride => "market override",
            Self::GlobalPreference => "global preference",
            Self::Fallback => "fallback",
            Self::Excluded => "excluded",
        })
    }
}

/// What the policy says of one uplink.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub uplink: UplinkId,
    pub isp: IspId,
    pub label: Label,
    pub standing: Standing,
    /// What people should know about the standing, in words.
    pub note: Option<Arc<str>>,
}

/// The policy resolved for this site: qualification of each ISP and the order of its uplinks. Made once per
/// configuration.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) market: Arc<str>,
    /// Every uplink of the configuration, most preferred first.
    pub(super) entries: Vec<Entry>,
    pub(super) leave_after: Duration,
    pub(super) return_after: Duration,
    /// How long the first measurements of a path may take.
    pub(super) first_measurement: Duration,
    qualifications: Vec<Qualification>,
    order: Vec<(UplinkId, Standing)>,
}

impl Policy {
    /// Resolves the policy of `config` for its site.
    pub fn resolve(config: &Config, registry: &Registry) -> Self {
        let market = &config.site.market;
        let qualifications = config.isps.iter().map(|isp| qualify(isp, market, registry)).collect();
        Self::ranked(config, market_override(config, registry), qualifications)
    }

    /// Puts the ISPs in order: those of the override, then those of the global preference, then all others in file
    /// order; the uplinks of an ISP in its own order.
    pub(super) fn ranked(config: &Config, first: &[IspId], qualifications: Vec<Qualification>) -> Self {
        let qualified = |isp: IspId| qualifications.get(usize::from(isp.0)).is_some_and(|found| found.qualified);
        let may_stand = |isp: IspId| config.policy.allow_unqualified || qualified(isp);
        let named = (first.iter().map(|&isp| (isp, Standing::MarketOverride)))
            .chain(config.policy.preferred.iter().map(|&isp| (isp, Standing::GlobalPreference)))
            .filter(|&(isp, _)| may_stand(isp));
        let rest = match config.policy.treatment.fallback {
            Fallback::Any => Standing::Fallback,
            Fallback::None => Standing::Excluded,
        };
        let others = config.uplinks.iter().map(|uplink| (uplink.isp, rest));
        let mut isps: Vec<(IspId, Standing)> = Vec::new();
        for (isp, standing) in named.chain(others) {
            if isps.iter().all(|&(seen, _)| seen != isp) {
                isps.push((isp, standing));
            }
        }
        let entries: Vec<Entry> = isps
            .into_iter()
            .flat_map(|(isp, standing)| uplinks_of(config, isp).map(move |uplink| (uplink, isp, standing)))
            .map(|(uplink, isp, standing)| Entry {
                uplink,
                isp,
                label: label(config, uplink),
                standing,
                note: note(config, first, &qualifications, isp, standing),
            })
            .collect();
        Self {
            market: Arc::from(config.site.market.as_str()),
            order: entries.iter().map(|entry| (entry.uplink, entry.standing)).collect(),
            entries,
            leave_after: config.policy.treatment.leave_after,
            return_after: config.policy.treatment.return_after,
            first_measurement: first_measurement(config, config.probe.interval),
            qualifications,
        }
    }

    /// With paths that are really probed once every `pace`, because there are many of them.
    #[must_use]
    pub fn paced(self, config: &Config, pace: Duration) -> Self {
        Self { first_measurement: first_measurement(config, pace), ..self }
    }

    /// Qualification of each ISP, by position in the configuration.
    pub fn qualifications(&self) -> &[Qualification] {
        &self.qualifications
    }

    /// Every uplink with its standing, most preferred first.
    pub fn order(&self) -> &[(UplinkId, Standing)] {
        &self.order
    }

    /// How long a path may stay unknown at most before nothing waits for it any longer.
    pub fn first_measurement(&self) -> Duration {
        self.first_measurement
    }
}

/// The override whose market is, or most narrowly contains, the site's.
fn market_override<'a>(config: &'a Config, registry: &Registry) -> &'a [IspId] {
    let markets = &config.policy.markets;
    let nearest = registry.nearest(markets.keys().map(String::as_str), &config.site.market);
    nearest.and_then(|market| markets.get(market)).map_or(&[], Vec::as_slice)
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

fn note(
    config: &Config,
    first: &[IspId],
    qualifications: &[Qualification],
    isp: IspId,
    standing: Standing,
) -> Option<Arc<str>> {
    let named = first.contains(&isp) || config.policy.preferred.contains(&isp);
    let refusal = qualifications.get(usize::from(isp.0)).filter(|found| !found.qualified).map(|found| &found.reason);
    let text = match (standing, refusal) {
        (Standing::MarketOverride | Standing::GlobalPreference, Some(reason)) => {
            format!("{reason}; allowed by `allow_unqualified`")
        }
        (Standing::Fallback | Standing::Excluded, Some(reason)) if named => reason.clone(),
        (Standing::Excluded, _) => "not preferred here, and `fallback` is \"none\"".to_owned(),
        _ => return None,
    };
    Some(Arc::from(text))
}

/// A path leaves `unknown` after at most `up_after + down_after` probes; two more intervals for the jitter of the
/// schedule, and the time-out of the last probe.
fn first_measurement(config: &Config, pace: Duration) -> Duration {
    let probe = &config.probe;
    let probes = probe.up_after.saturating_add(probe.down_after).saturating_add(2);
    pace.saturating_mul(probes).saturating_add(probe.timeout).min(LONGEST_FIRST_MEASUREMENT)
}
