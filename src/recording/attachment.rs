//! What the kernel offers for an uplink in one family, in a word.

use std::fmt;

use crate::{
    config::Uplink,
    domain::{Family, RouterState},
    select::{Unattached, attachment, silent_gateway},
};

/// What the kernel offers for an uplink in one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// A way out.
    Yes,
    /// A way out whose gateway does not answer on its link.
    SilentGateway,
    /// No interface of that name.
    NoInterface,
    /// The interface is administratively down.
    AdminDown,
    /// The interface has no carrier.
    NoCarrier,
    /// No next hop is known.
    NoNextHop,
    /// No usable source address.
    NoAddress,
}

impl Attached {
    /// Every one of them.
    pub const ALL: [Self; 7] = [
        Self::Yes,
        Self::SilentGateway,
        Self::NoInterface,
        Self::AdminDown,
        Self::NoCarrier,
        Self::NoNextHop,
        Self::NoAddress,
    ];

    /// The word in a recording.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "attached",
            Self::SilentGateway => "silent-gateway",
            Self::NoInterface => "no-interface",
            Self::AdminDown => "admin-down",
            Self::NoCarrier => "no-carrier",
            Self::NoNextHop => "no-next-hop",
            Self::NoAddress => "no-address",
        }
    }

    /// Whether packets can pass.
    pub fn is_usable(self) -> bool {
        self == Self::Yes
    }

    /// What the router's state says of an uplink, with the reason in words; nothing for a family that it does not carry.
    pub fn of(uplink: &Uplink, family: Family, router: &RouterState) -> Option<(Self, String)> {
        let reason = match attachment(uplink, family, router) {
            Ok(found) => {
                let silent = silent_gateway(&found, router);
                return Some(silent.map_or((Self::Yes, String::new()), |why| (Self::SilentGateway, why)));
            }
            Err(reason) => reason,
        };
        let word = match reason {
            Unattached::FamilyDisabled(_) => return None,
            Unattached::NoInterface(_) => Self::NoInterface,
            Unattached::AdminDown(_) => Self::AdminDown,
            Unattached::NoCarrier(_) => Self::NoCarrier,
            Unattached::NoAddress(..) => Self::NoAddress,
            _ => Self::NoNextHop,
        };
        Some((word, reason.to_string()))
    }
}

impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
