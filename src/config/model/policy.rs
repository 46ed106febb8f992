//! `[policy]`: which ISPs are preferred where, how one of them is chosen, and when traffic moves.

use std::{collections::BTreeMap, time::Duration};

use ipnet::IpNet;

use crate::domain::{Category, IspId, TimeOfDay};

/// Which ISP is preferred where.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Globally preferred ISPs, best first; used wherever they are qualified in the site's market. Never empty.
    pub preferred: Vec<IspId>,
    /// `[policy.market."…"]`: ISPs for sites in that market, best first, before the global preference.
    pub markets: BTreeMap<String, Vec<IspId>>,
    /// Whether an ISP that is not a qualified partner may be preferred.
    pub allow_unqualified: bool,
    /// How classes are treated that no rule is for.
    pub treatment: Treatment,
    /// `[[policy.rule]]`, in file order.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// Whether some class may be on several uplinks at once.
    pub fn balances(&self) -> bool {
        let mut treatments = self.rules.iter().map(|rule| &rule.treatment).chain([&self.treatment]);
        treatments.any(|treatment| matches!(treatment.strategy, Strategy::Balanced(_)))
    }
}

/// `[[policy.rule]]`: destinations that are treated in a way of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique name (a-z, 0-9, -).
    pub name: String,
    /// Where it stands in the file.
    pub place: Place,
    /// Destinations and sites that it is for.
    pub matches: Match,
    /// ISPs before all others; absent: the market's override and the global preference, as without the rule.
    pub isps: Option<Order>,
    /// Whether an ISP that is not a qualified partner may stand in `isps`.
    pub allow_unqualified: bool,
    /// How its classes are treated; what the rule does not say is as in `[policy]`.
    pub treatment: Treatment,
}

/// A line of the configuration. Where something was written is no part of what it means: all places are equal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Line, counted from 1.
    pub line: usize,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What a rule is for: every list that is not empty must have an entry that fits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Match {
    /// Prefixes that contain the destination.
    pub prefixes: Vec<IpNet>,
    /// Azure service tags that list the destination, in lower case.
    pub tags: Vec<String>,
    /// Services, in lower case.
    pub services: Vec<String>,
    /// Microsoft 365 categories.
    pub categories: Vec<Category>,
    /// Azure regions, one by one or all of a market.
    pub regions: Vec<RegionMatch>,
    /// Markets of the site, as the registry spells them.
    pub markets: Vec<String>,
}

/// Azure regions that a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionMatch {
    /// One region by its short name (`japaneast`).
    Region(String),
    /// Every region in a market (`Europe`), as the registry spells it.
    Market(String),
}

/// ISPs of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// These, best first; never empty.
    Listed(Vec<IspId>),
    /// `["*"]`: all, in the order that holds without the rule.
    Any,
}

/// How an uplink is chosen for a class, and when the class moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Treatment {
    /// How the preferred uplinks stand to one another.
    pub strategy: Strategy,
    /// What a path must keep to be left in charge.
    pub sla: Sla,
    /// What happens when no preferred ISP is usable.
    pub fallback: Fallback,
    /// How long a violation must last before a degraded path is left.
    pub leave_after: Duration,
    /// How long a better path must have been good before traffic returns to it.
    pub return_after: Duration,
    /// How long a class stays where it is at least before it moves to something better.
    pub stay_at_least: Duration,
    /// Most moves within an hour, but for those off a dead path; at least one.
    pub moves_per_hour: u32,
    /// Times of the day at which traffic may move to something better; any when empty. What is dead or violates its SLA is left
    /// at any time.
    pub move_windows: Vec<DayWindow>,
}

/// How the preferred uplinks of a class stand to one another.
#[derive(Debug, Clone, PartialEq)]
pub enum Strategy {
    /// In the order of preference.
    Ordered,
    /// The one with the least RTT; another one must be better by a margin.
    Fastest(Margin),
    /// All that are good at once, by weight; one that is not named weighs 1.
    Balanced(BTreeMap<IspId, u8>),
}

/// By how much a path must be faster: by both figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    /// Difference of RTT.
    pub difference: Duration,
    /// Difference as a share of the slower RTT, 0 to 1.
    pub share: f64,
}

/// Service level that a path must keep; absent figures are not judged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sla {
    /// Largest RTT, at the percentile below.
    pub rtt: Option<Duration>,
    /// Percentile of RTT that is judged, 50 to 99.
    pub percentile: Percentile,
    /// Largest mean delay variation (RFC 3393).
    pub jitter: Option<Duration>,
    /// Largest loss, 0 to 1.
    pub loss: Option<f64>,
    /// Age up to which probes are judged; absent: all in the window of the path, and of RTTs the newest half.
    pub window: Option<Duration>,
}

/// A percentile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentile(pub u8);

impl Percentile {
    /// Whether it is the median.
    pub fn is_median(self) -> bool {
        self <= Self::default()
    }

    /// What people call the RTT at it: `p95 RTT`, and of the median just `RTT`.
    pub fn name_of_rtt(self) -> String {
        if self.is_median() { "RTT".to_owned() } else { format!("p{} RTT", self.0) }
    }
}

impl Default for Percentile {
    /// The median.
    fn default() -> Self {
        Self(50)
    }
}

/// What to do when no preferred ISP is usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Any usable uplink: those that are preferred without the rule first, then in file order.
    Any,
    /// Leave the class to the main table.
    None,
}

/// A span of every day, by the site's own time; it may go over midnight. Both ends alike: the whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayWindow {
    /// Its start.
    pub from: TimeOfDay,
    /// Its end, which is no longer in it.
    pub to: TimeOfDay,
}

impl DayWindow {
    /// Whether a time is in it.
    pub fn contains(self, time: TimeOfDay) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}
