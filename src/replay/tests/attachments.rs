//! The made-up router gives every uplink what was recorded, for its reason.

use super::*;
use crate::{domain::Family, replay::attachments::Attachments};

#[test]
fn every_state_is_what_the_made_up_router_says() {
    let config = policy("", CONFIG).config;
    for state in Attached::ALL {
        let mut attachments = Attachments::default();
        assert!(attachments.set(KORDIA, Family::Ipv4, state));
        assert!(!attachments.set(KORDIA, Family::Ipv4, state), "known");
        let router = attachments.router(&config);
        let (found, why) = Attached::of(config.uplink(KORDIA), Family::Ipv4, &router).unwrap();
        assert_eq!(found, state, "{why}");
        assert_eq!(why.is_empty(), state.is_usable());
        let (other, _) = Attached::of(config.uplink(CCL), Family::Ipv4, &router).unwrap();
        assert_eq!(other, Attached::NoInterface, "of which nothing is known");
    }
}

#[test]
fn a_static_gateway_is_as_silent_as_a_learned_one() {
    let text = CONFIG.replace("interface = \"wan0\"", "interface = \"wan0\"\nipv4 = \"198.51.100.1\"");
    let config = policy("", &text).config;
    let mut attachments = Attachments::default();
    attachments.set(KORDIA, Family::Ipv4, Attached::SilentGateway);
    let router = attachments.router(&config);
    assert_eq!(Attached::of(config.uplink(KORDIA), Family::Ipv4, &router).unwrap().0, Attached::SilentGateway);
}
