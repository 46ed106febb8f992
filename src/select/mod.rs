//! Pure: policy, router and path quality in; one decision per class out, with its reasons as data.
//!
//! May know `quality`, the domain, the validated configuration and the partner registry, all as values. Reads no
//! clock (time is an argument), does no I/O, logs nothing. Deterministic and total.

use std::collections::BTreeMap;

use crate::{
    config::{Config, Uplink},
    domain::{BootTime, Class, ClassId, Family, PathState, RouterState, UplinkAttachment, UplinkId},
    partners::Registry,
    quality::Figures,
};

/// Why the kernel has no way through an uplink in a family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unattached {
    /// The uplink does not carry the family, by configuration.
    #[error("not used for {0}")]
    FamilyDisabled(Family),
    /// No interface of that name.
    #[error("interface {0} does not exist")]
    NoInterface(String),
    /// Administratively down.
    #[error("interface {0} is down")]
    AdminDown(String),
    /// No carrier.
    #[error("interface {0} has no carrier")]
    NoCarrier(String),
    /// `auto` and no default route by the interface.
    #[error("no default route by {0}: next hop unknown")]
    NoNextHop(String),
    /// No usable source address.
    #[error("no {1} address on {0}")]
    NoAddress(String, Family),
}

/// What the kernel offers for an uplink in a family, by the state of link, addresses and routes.
///
/// # Errors
/// When there is no way through it, and why.
pub fn attachment(_uplink: &Uplink, _family: Family, _router: &RouterState) -> Result<UplinkAttachment, Unattached> {
    todo!()
}

/// Whether an ISP may be preferred in the site's market, and why (or why not).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualification {
    /// It may.
    pub qualified: bool,
    /// In words, with the market and the date of Microsoft's list.
    pub reason: String,
}

/// Why an uplink stands where it stands in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Named by the override of the site's market.
    MarketOverride,
    /// Named by the global preference, and qualified here.
    GlobalPreference,
    /// Named by neither; reached by `fallback = "any"`.
    Fallback,
    /// Never used: not named, and `fallback = "none"`; or not qualified.
    Excluded,
}

/// The policy resolved for this site: qualification of each ISP and the order of its uplinks. Made once per
/// configuration.
#[derive(Debug, Clone)]
pub struct Policy {}

impl Policy {
    /// Resolves the policy of `config` for its site.
    pub fn resolve(_config: &Config, _registry: &Registry) -> Self {
        todo!()
    }

    /// Qualification of each ISP, by position in the configuration.
    pub fn qualifications(&self) -> &[Qualification] {
        todo!()
    }

    /// Every uplink with its standing, most preferred first.
    pub fn order(&self) -> &[(UplinkId, Standing)] {
        todo!()
    }
}

/// What is known of one uplink for one class at the moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PathInput {
    /// No way through the uplink, and why.
    pub unattached: Option<Unattached>,
    /// State of the path.
    pub state: PathState,
    /// Since when.
    pub since: BootTime,
    /// Figures.
    pub figures: Figures,
}

/// What the previous decision left behind; [`Default`] at the first start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Memory {
    /// Uplink in charge. At start: the one the kernel already holds (adopted).
    pub chosen: Option<UplinkId>,
    /// Backup in charge.
    pub backup: Option<UplinkId>,
    /// Since when.
    pub since: BootTime,
}

/// Why a class is where it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// TODO by the owner of this room: one variant a cause, `Display` in words with figures.
    Placeholder,
}

/// One uplink as it was considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Uplink.
    pub uplink: UplinkId,
    /// Standing by policy.
    pub standing: Standing,
    /// State of the path.
    pub state: PathState,
    /// Whether traffic may be put on it now.
    pub usable: bool,
    /// The verdict in words.
    pub verdict: String,
}

/// The decision for one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Class.
    pub class: ClassId,
    /// Uplink in charge; none: left to the main table.
    pub chosen: Option<UplinkId>,
    /// Second choice: another uplink and, where there is one, another ISP.
    pub backup: Option<UplinkId>,
    /// Why.
    pub reason: Reason,
    /// Since when `chosen` is in charge.
    pub since: BootTime,
    /// Every uplink considered, best first.
    pub candidates: Vec<Candidate>,
    /// When this decision should be looked at again though nothing happens (a hold time ends), if so.
    pub review_at: Option<BootTime>,
}

/// Decides one class.
pub fn decide(
    _policy: &Policy,
    _class: &Class,
    _paths: &BTreeMap<UplinkId, PathInput>,
    _memory: &Memory,
    _now: BootTime,
) -> Decision {
    todo!()
}
