//! The names behind which Microsoft 365 itself is reached, as far as Microsoft says which ones to measure.
//!
//! Source: "Microsoft 365 network connectivity test" (Microsoft Learn) traces the way to outlook.office365.com, to
//! microsoft.sharepoint.com where no tenant is named, and to world.tr.teams.microsoft.com, the relay of Teams media (UDP
//! 3478, endpoint set 11); sign-in is endpoint set 56 of the endpoints web service.

use std::sync::Arc;

use crate::domain::{Check, Class, Host, Target};

/// Start of the ids of classes that come from the endpoints web service.
const MICROSOFT365: &str = "m365.";

const TLS_PORT: u16 = 443;
const STUN_PORT: u16 = 3478;

/// Targets by name of a class: those that prove who they are first. None for classes of other sources.
///
/// A name may lead outside the class, because Microsoft moved it or because somebody answers in its stead; such
/// addresses are not probed.
pub fn front_doors(class: &Class) -> Vec<Target> {
    if !class.id.as_str().starts_with(MICROSOFT365) {
        return Vec::new();
    }
    let target = |name: &str, port, check| Target {
        host: Host::Name(name.into()),
        port,
        check,
        within: Some(Arc::clone(&class.prefixes)),
    };
    let tls = |name: &str| target(name, TLS_PORT, Check::Tls { server_name: name.into() });
    match class.service.as_str() {
        "exchange" => vec![tls("outlook.office365.com")],
        "sharepoint" => vec![tls("microsoft.sharepoint.com")],
        "skype" => {
            vec![tls("teams.microsoft.com"), target("world.tr.teams.microsoft.com", STUN_PORT, Check::Stun)]
        }
        "common" => vec![tls("login.microsoftonline.com")],
        _ => Vec::new(),
    }
}
