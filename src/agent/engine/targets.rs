//! What is measured for a class: the owner's targets for its service, else the front doors that Microsoft names and
//! addresses of the catalogue.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    catalogue::{Catalogue, front_doors},
    config::{Probe, TrustSource},
    domain::{Class, Family, Host, Target},
};

/// More of them only thin out the samples of each.
const MOST: usize = 4;

/// Targets of a class, those that prove who they are first; empty when the owner names only some of the other family.
pub fn of_class(probe: &Probe, catalogue: &Catalogue, class: &Class) -> Arc<[Target]> {
    let fits = |target: &&Target| match &target.host {
        Host::Address(address) => Family::of(*address) == class.family,
        Host::Name(_) => true,
    };
    let mut targets: Vec<Target> = match probe.targets.get(&class.service) {
        Some(own) => own.iter().filter(fits).cloned().collect(),
        None => {
            let addresses = catalogue.targets(&class.id).iter();
            let addresses = addresses.map(|address| Target::tcp(SocketAddr::new(*address, probe.port)));
            let vouched = |target: &Target| probe.trust != TrustSource::Off || !target.check.proves_identity();
            front_doors(class).into_iter().filter(vouched).chain(addresses).take(MOST).collect()
        }
    };
    targets.sort_by_key(|target| !target.check.proves_identity());
    targets.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Destinations, Microsoft365, Microsoft365Source},
        domain::{Category, ClassId},
    };

    fn catalogue() -> Catalogue {
        let categories = vec![Category::Optimize, Category::Allow];
        let microsoft365 = Microsoft365 { source: Microsoft365Source::Bundled, services: Vec::new(), categories };
        Catalogue::load(&Destinations { microsoft365, service_tags: None, static_lists: Vec::new() }).unwrap()
    }

    fn targets(probe: &Probe, class: &str) -> Vec<String> {
        let catalogue = catalogue();
        let class = catalogue.class(&ClassId::new(class)).unwrap();
        of_class(probe, &catalogue, class).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn front_doors_that_prove_their_name_come_first_and_addresses_fill_up() {
        assert_eq!(
            targets(&Probe::default(), "m365.exchange.ipv4"),
            [
                "tls:outlook.office365.com:443",
                "tcp:131.253.33.215:443",
                "tcp:204.79.197.215:443",
                "tcp:13.107.6.152:443"
            ]
        );
        let teams = targets(&Probe::default(), "m365.skype.ipv6");
        assert_eq!(teams[..2], ["tls:teams.microsoft.com:443", "stun:world.tr.teams.microsoft.com:3478"]);
        assert_eq!(teams.len(), MOST);
    }

    #[test]
    fn without_anybody_to_vouch_there_are_none_that_need_it() {
        let probe = Probe { trust: TrustSource::Off, ..Probe::default() };
        let teams = targets(&probe, "m365.skype.ipv4");
        assert_eq!(teams[0], "stun:world.tr.teams.microsoft.com:3478");
        assert_eq!(teams.len(), MOST);
        assert!(teams.iter().all(|target| !target.starts_with("tls")), "{teams:?}");
    }

    #[test]
    fn the_owners_list_replaces_them_for_the_family_that_it_names() {
        let own = |texts: &[&str]| texts.iter().map(|text| crate::config::target(text, 443).unwrap()).collect();
        let listed = own(&["13.107.6.152", "icmp:outlook.office365.com", "tls:13.107.18.10"]);
        let probe = Probe { targets: [("exchange".to_owned(), listed)].into(), ..Probe::default() };
        assert_eq!(
            targets(&probe, "m365.exchange.ipv4"),
            ["tls:13.107.18.10:443", "tcp:13.107.6.152:443", "icmp:outlook.office365.com"]
        );
        assert_eq!(targets(&probe, "m365.exchange.ipv6"), ["icmp:outlook.office365.com"]);
    }
}
