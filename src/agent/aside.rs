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
    pub list: Vec<SetAside>,
    /// Its space, exactly.
    pub space: Vec<IpNet>,
    set: PrefixSet,
    by_class: BTreeMap<ClassId, Vec<SetAside>>,
    source: Source,
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
    /// Looks at the router again; true when what is set aside is another now.
    pub fn look(&mut self, router: &RouterState, grounds: &Grounds<'_>, classes: &[Class]) -> bool {
        let source = Source {
            routes: Arc::clone(&router.routes),
            rules: router.rules.clone(),
            links: router.links.clone(),
            addresses: router.addresses.clone(),
            gateways: grounds.gateways.clone(),
            protected: grounds.protected.to_vec(),
        };
        if source == self.source {
            return false;
        }
        self.source = source;
        let uplinks: BTreeSet<IfIndex> =
            grounds.uplinks.iter().filter_map(|name| Some(router.link_named(name)?.index)).collect();
        let Kept { mut set_aside, released } = kept_by_local_routes(router, &uplinks, grounds.preference);
        let routed: Vec<IpNet> = set_aside.iter().map(|kept| kept.prefix).collect();
        let mut space = space_of(&routed, &released);
        let protected = protected(router, grounds);
        space.extend(protected.iter().map(|kept| kept.prefix));
        set_aside.extend(protected);
        set_aside.sort_unstable();
        let changed = set_aside != self.list || space != self.space;
        self.set = space.iter().copied().collect();
        self.by_class = classes.iter().filter_map(|class| by_class(class, &set_aside)).collect();
        (self.list, self.space) = (set_aside, space);
        changed
    }

    /// What keeps prefixes of a class.
    pub fn of_class(&self, class: &ClassId) -> &[SetAside] {
        self.by_class.get(class).map_or(&[], Vec::as_slice)
    }

    /// What keeps all of a prefix: the longest that does.
    pub fn of_prefix(&self, net: IpNet) -> Option<&SetAside> {
        let around = self.list.iter().filter(|kept| kept.prefix.contains(&net));
        around.max_by_key(|kept| kept.prefix.prefix_len()).filter(|_| self.set.covers(net))
    }
}

fn by_class(class: &Class, set_aside: &[SetAside]) -> Option<(ClassId, Vec<SetAside>)> {
    if set_aside.is_empty() {
        return None;
    }
    let own: PrefixSet = class.prefixes.iter().copied().collect();
    let kept: Vec<SetAside> = set_aside.iter().filter(|kept| own.touches(kept.prefix)).cloned().collect();
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
