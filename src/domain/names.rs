//! Identities: small copyable numbers inside the process, names at its edges.

use std::{fmt, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Position of an ISP in the configuration, stable for the life of one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IspId(pub u16);

/// Position of an uplink in the configuration, stable for the life of one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UplinkId(pub u16);

/// Position of a rule of policy in the configuration, stable for the life of one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u16);

/// A zone: IPv6 sources that the same uplinks let through. Stable for the life of one configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u16);

/// An address family. Every class is of one family, because its path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Both families, in the order in which they are listed to people.
    pub const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// The family of a prefix.
    pub fn of_net(net: IpNet) -> Self {
        Self::of(net.network())
    }

    /// `ipv4` or `ipv6`, as in OpenTelemetry's `network.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Name of a class, such as `m365.exchange.ipv4`: stable across restarts, so that telemetry series do not break.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(Arc<str>);

impl ClassId {
    /// A class id from its text.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The class that there would be without the rule that it is named after: `m365.skype.ipv4` of
    /// `m365.skype+teams-media.ipv4`. Names of rules have no dots.
    #[must_use]
    pub fn without_rule(&self) -> Self {
        let Some((stem, rest)) = self.0.split_once('+') else { return self.clone() };
        match rest.split_once('.') {
            Some((_, family)) => Self::new(&format!("{stem}.{family}")),
            None => Self::new(stem),
        }
    }

    /// Which of some classes is this one, or else is measured by the same targets: the class without a rule, or else one
    /// of another rule.
    pub fn nearest_among<T>(
        &self,
        mut all: impl Iterator<Item = T> + Clone,
        id: impl for<'t> Fn(&'t T) -> &'t Self,
    ) -> Option<T> {
        let whole = self.without_rule();
        all.clone()
            .find(|it| id(it) == self)
            .or_else(|| all.clone().find(|it| *id(it) == whole))
            .or_else(|| all.find(|it| id(it).without_rule() == whole))
    }
}

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_rule_is_no_part_of_what_is_measured() {
        for (id, whole) in [
            ("m365.skype+teams-media.ipv4", "m365.skype.ipv4"),
            ("azure.azurecloud.japaneast+far.ipv6", "azure.azurecloud.japaneast.ipv6"),
            ("m365.skype.ipv4", "m365.skype.ipv4"),
            ("list+rule", "list"),
        ] {
            assert_eq!(ClassId::new(id).without_rule(), ClassId::new(whole));
        }
    }

    #[test]
    fn the_nearest_class_is_itself_then_the_one_without_a_rule_then_that_of_another() {
        let all = ["m365.skype+other.ipv4", "m365.skype.ipv4", "m365.skype+media.ipv4", "m365.skype.ipv6"]
            .map(ClassId::new);
        let nearest = |of: &str, among: &[ClassId]| {
            ClassId::new(of).nearest_among(among.iter(), |id| id).map(|id| id.as_str().to_owned())
        };
        assert_eq!(nearest("m365.skype+media.ipv4", &all).as_deref(), Some("m365.skype+media.ipv4"));
        assert_eq!(nearest("m365.skype+calls.ipv4", &all).as_deref(), Some("m365.skype.ipv4"));
        assert_eq!(nearest("m365.skype+calls.ipv4", &all[..1]).as_deref(), Some("m365.skype+other.ipv4"));
        assert_eq!(nearest("m365.exchange.ipv4", &all), None);
    }
}
