//! Destinations (one Microsoft prefix each) and the classes they are decided in.

use std::{fmt, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ClassId, Family, RuleId, ZoneId};

/// Microsoft 365 connectivity category, most demanding first.
///
/// Source: "Managing Microsoft 365 endpoints", Microsoft Learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// The few endpoints that carry most of the traffic and feel latency first.
    Optimize,
    /// Needed, less sensitive to latency.
    Allow,
    /// Needs no special treatment.
    Default,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Optimize => "optimize",
            Self::Allow => "allow",
            Self::Default => "default",
        })
    }
}

/// Where a destination was learned from; the order is the order of trust when sources disagree about one prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A `[[destinations.static]]` list of the local configuration.
    Static,
    /// The Microsoft 365 endpoints web service (bundled snapshot or file).
    Microsoft365,
    /// Azure "Service Tags – Public" (file).
    ServiceTags,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Static => "static",
            Self::Microsoft365 => "microsoft365",
            Self::ServiceTags => "service-tags",
        })
    }
}

/// One Microsoft prefix with all that the sources together say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Destination {
    /// The prefix, host bits zero.
    pub prefix: IpNet,
    /// Service in lower case: `exchange`, `sharepoint`, `skype`, `common`, a service tag's system service, or the
    /// name of a static list.
    pub service: Arc<str>,
    /// Microsoft 365 category; absent for other sources.
    pub category: Option<Category>,
    /// Azure region's short name (`japaneast`); absent for anycast and Microsoft 365.
    pub region: Option<Arc<str>>,
    /// Every source that lists exactly this prefix, most trusted first; never empty.
    pub sources: Vec<Source>,
}

/// The destinations that policy treats alike: decided once, moved by one kernel message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Stable name, such as `m365.exchange.ipv4`.
    pub id: ClassId,
    /// The one family of all its prefixes.
    pub family: Family,
    /// Service that its destinations share.
    pub service: String,
    /// Azure region that its destinations share, if any.
    pub region: Option<String>,
    /// Its prefixes as the catalogue lists them, sorted, not yet aggregated.
    pub prefixes: Arc<[IpNet]>,
    /// The rule of policy that it is decided by; none: the market's override and the global preference.
    pub rule: Option<RuleId>,
    /// The IPv6 sources that it is for alone; none: all that are in no zone.
    pub zone: Option<ZoneId>,
}
