//! Pure: what is set aside for the router's own routes and protections, kept current with the picture of the router.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::IpNet;

use crate::{
    domain::{Address, Class, ClassId, IfIndex, Link, LocalRoute, NextHop, PolicyRule, PrefixSet, RouterState},
    plan::space_of,
    select::{Kept, SetAside, Why, kept_by_local_routes},
};

/// What is set aside, and what of the router it was made from.
#[derive(Debug, Default)]
pub struct Aside {
    /// Everything that touches a destination, sorted.
    list: Vec<SetAside>,
    /// Its space, exactly.
    pub space: Vec<IpNet>,
    set: PrefixSet,
    /// Positions in the list, by class of the catalogue.
    by_class: BTreeMap<ClassId, Vec<u32>>,
    source: Source,
}

/// Another space is set aside now, and these classes have lost or gained by it.
#[derive(Debug)]
pub struct Changed {
    /// Classes of the catalogue.
    pub classes: Vec<ClassId>,
}

/// What the picture of the router says that matters here.
#[derive(Debug, Default, Clone, PartialEq)]
struct Source {
    routes: Arc<[LocalRoute]>,
    rules: Vec<PolicyRule>,
    links: BTreeMap<IfIndex, Link>,
    addresses: Vec<Address>,
    gateways: BTreeMap<String, Vec<NextHop>>,
    protected: Vec<SetAside>,
}

/// What set-asides are made from, besides the router.
#[derive(Debug)]
pub struct Grounds<'a> {
    /// Interfaces of the uplinks.
    pub uplinks: &'a [String],
    /// Next hops in use, by the name of their uplink.
    pub gateways: BTreeMap<String, Vec<NextHop>>,
    /// Preference of our first rule: tables of rules behind it are respected.
    pub preference: u32,
    /// Addresses that are never steered, whatever the router says.
    pub protected: &'a [SetAside],
    /// All destinations.
    pub destinations: &'a PrefixSet,
}

impl Aside {
    /// Looks at the router again; `classes` are those of the catalogue. Nothing when all is as it was.
    pub fn look(&mut self, router: &RouterState, grounds: &Grounds<'_>, classes: &[Class]) -> Option<Changed> {
        let source = Source {
            routes: Arc::clone(&router.routes),
            rules: router.rules.clone(),
            links: router.links.clone(),
            addresses: router.addresses.clone(),
            gateways: grounds.gateways.clone(),
            protected: grounds.protected.to_vec(),
        };
        if source == self.source {
            return None;
        }
        self.source = source;
        let (mut list, mut space) = (Vec::new(), Vec::new());
        let uplinks: BTreeSet<IfIndex> =
            grounds.uplinks.iter().filter_map(|name| Some(router.link_named(name)?.index)).collect();
        for Kept { set_aside, released } in kept_by_local_routes(router, &uplinks, grounds.preference) {
            let routed: Vec<IpNet> = set_aside.iter().map(|kept| kept.prefix).collect();
            space.extend(space_of(&routed, &released));
            list.extend(set_aside);
        }
        let protected = protected(router, grounds);
        space.extend(protected.iter().map(|kept| kept.prefix));
        list.extend(protected);
        list.sort_unstable();
        if list == self.list && space == self.space {
            return None;
        }
        let by_class = classes.iter().filter_map(|class| by_class(class, &list)).collect();
        let source = std::mem::take(&mut self.source);
        let now = Self { set: space.iter().copied().collect(), list, space, by_class, source };
        let before = std::mem::replace(self, now);
        let differs = |class: &&Class| !self.of_class(&class.id).eq(before.of_class(&class.id));
        Some(Changed { classes: classes.iter().filter(differs).map(|class| class.id.clone()).collect() })
    }

    /// What keeps prefixes of a class of the catalogue.
    pub fn of_class(&self, class: &ClassId) -> impl Iterator<Item = &SetAside> + Clone {
        let positions = self.by_class.get(class).map_or(&[][..], Vec::as_slice);
        positions.iter().map_while(|position| self.list.get(*position as usize))
    }

    /// What keeps all of a prefix: the longest that does.
    pub fn of_prefix(&self, net: IpNet) -> Option<&SetAside> {
        let around = self.list.iter().filter(|kept| kept.prefix.contains(&net));
        around.max_by_key(|kept| kept.prefix.prefix_len()).filter(|_| self.set.covers(net))
    }
}

fn by_class(class: &Class, list: &[SetAside]) -> Option<(ClassId, Vec<u32>)> {
    if list.is_empty() {
        return None;
    }
    let own: PrefixSet = class.prefixes.iter().copied().collect();
    let kept: Vec<u32> =
        (0..).zip(list).filter(|(_, kept)| own.touches(kept.prefix)).map(|(position, _)| position).collect();
    (!kept.is_empty()).then(|| (class.id.clone(), kept))
}

/// On-link prefixes, gateways and the addresses that are named as never to be steered, where they touch a destination.
fn protected(router: &RouterState, grounds: &Grounds<'_>) -> Vec<SetAside> {
    let on_link = router.addresses.iter().filter_map(|address| {
        let link = router.links.get(&address.index)?;
        Some(SetAside { prefix: address.net.trunc(), why: Why::OnLink(link.name.clone()) })
    });
    let gateways = grounds.gateways.iter().flat_map(|(uplink, next_hops)| {
        let gateways = next_hops.iter().filter_map(|next_hop| next_hop.gateway);
        gateways.map(|gateway| SetAside { prefix: gateway.into(), why: Why::Gateway(uplink.clone()) })
    });
    let all = on_link.chain(gateways).chain(grounds.protected.iter().cloned());
    all.filter(|kept| grounds.destinations.touches(kept.prefix)).collect()
}
