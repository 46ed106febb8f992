//! What news of the router does: attachments, what is set aside, which sources are whose, and what needs no probe.

use std::{collections::BTreeMap, sync::Arc};

use super::{super::aside::Grounds, Attachments, Engine};
use crate::{
    config::Config,
    domain::{BootTime, Class, ClassId, EventKind, Family, IfIndex, NextHop, ReadState, RouterState, UplinkId},
    select::{self, Unattached},
};

impl Engine {
    /// Takes a new picture of the router. A stale one changes nothing: what is not known is not acted upon.
    pub fn router_changed(&mut self, router: &RouterState, now: BootTime) -> Vec<EventKind> {
        if router.read == ReadState::Stale {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.attachments, attachments(&self.config, router));
        if before != self.attachments {
            self.version += 1;
        }
        let sources = self.zones.prefixes(router);
        if sources != self.sources {
            self.sources.clone_from(&sources);
            self.layout.set_sources(sources);
            self.version += 1;
        }
        let mut events = self.uplink_events(&before);
        events.extend(self.next_hop_events(&before));
        events.extend(self.set_aside(router));
        self.look_at_routes_of_uplinks(router);
        events.extend(self.cut_short(router, now));
        events.extend(self.decide_all(now));
        events
    }

    /// An uplink as a whole is usable while it is attached in any family; its reason is that of the first that is not.
    fn uplink_events(&self, before: &Attachments) -> Vec<EventKind> {
        self.config
            .uplink_ids()
            .filter_map(|id| {
                let (was, _) = usable(before, id);
                let (is, reason) = usable(&self.attachments, id);
                (was != Some(is.unwrap_or(false))).then(|| EventKind::UplinkChanged {
                    uplink: self.config.uplink(id).name.clone(),
                    isp: self.config.isp_name_of(id).to_owned(),
                    usable: is.unwrap_or(false),
                    reason,
                })
            })
            .collect()
    }

    fn next_hop_events(&self, before: &Attachments) -> Vec<EventKind> {
        let way = |attachments: &Attachments, key| Some(attachments.get(key)?.as_ref().ok()?.next_hop);
        (self.attachments.keys())
            .filter_map(|key| {
                let (from, to) = (way(before, key)?, way(&self.attachments, key)?);
                (from != to).then(|| EventKind::NextHopChanged {
                    uplink: self.config.uplink(key.0).name.clone(),
                    isp: self.config.isp_name_of(key.0).to_owned(),
                    family: key.1,
                    from: from.gateway,
                    to: to.gateway,
                })
            })
            .collect()
    }

    /// Leaves to the router's own routes and protections what is theirs.
    fn set_aside(&mut self, router: &RouterState) -> Vec<EventKind> {
        let mut gateways: BTreeMap<String, Vec<NextHop>> = BTreeMap::new();
        for ((id, _), attachment) in &self.attachments {
            let of_uplink = gateways.entry(self.config.uplink(*id).name.clone()).or_default();
            of_uplink.extend(attachment.as_ref().ok().map(|attachment| attachment.next_hop));
        }
        let grounds = Grounds {
            uplinks: &self.interest.interfaces,
            gateways,
            preference: self.config.kernel.rule_preference,
            protected: &self.protected,
            destinations: &self.interest.destinations,
        };
        let Some(changed) = self.aside.look(router, &grounds, self.catalogue.classes()) else {
            return Vec::new();
        };
        self.layout = self.whole.without(&self.aside.space);
        self.layout.set_sources(self.sources.clone());
        self.version += 1;
        let told = changed.classes.into_iter().map(|class| {
            let kept = || self.aside.of_class(&class);
            let example = kept().next().map(|kept| format!("{}: {}", kept.prefix, kept.why));
            EventKind::LocalRoutesKeep { kept: kept().count(), example, class: class.clone() }
        });
        told.collect()
    }

    /// Looks again only when the routes are others.
    fn look_at_routes_of_uplinks(&mut self, router: &RouterState) {
        let needing = || self.config.uplink_ids().filter(|id| self.config.uplink(*id).require_route);
        let index = |id: UplinkId| Some(router.link_named(&self.config.uplink(id).interface)?.index);
        let interfaces: BTreeMap<UplinkId, IfIndex> = needing().filter_map(|id| Some((id, index(id)?))).collect();
        let (routes, by) = &self.routed_source;
        if Arc::ptr_eq(routes, &router.routes) && *by == interfaces {
            return;
        }
        let after = self.config.kernel.rule_preference;
        self.routed = interfaces.iter().map(|(id, index)| (*id, select::routed_by(router, *index, after))).collect();
        self.routed_source = (Arc::clone(&router.routes), interfaces);
    }

    /// Why an uplink may not carry the sources of a class, if it may not.
    pub(super) fn refused(&self, class: &Class, id: UplinkId) -> Option<Unattached> {
        let known = class.zone.is_none_or(|zone| self.sources.contains_key(&zone));
        let open = class.family == Family::Ipv4 || (known && self.zones.admits(class.zone, id));
        (!open).then_some(Unattached::ForeignSource)
    }

    /// Why an uplink that needs routes of the router's own is no candidate for a class, if it is not.
    pub(super) fn unrouted(&self, class: &ClassId, id: UplinkId) -> Option<Unattached> {
        if !self.config.uplink(id).require_route {
            return None;
        }
        let routes = self.layout.routes(class);
        let reached = self.routed.get(&id);
        let missing = || routes.iter().filter(|route| reached.is_none_or(|reached| !reached.covers(**route)));
        let example = *missing().next()?;
        Some(Unattached::NoRoute { missing: missing().count(), of: routes.len(), example })
    }

    /// What the kernel knows first need not be probed: carrier, link, next hop and neighbour go straight to `down`.
    fn cut_short(&mut self, router: &RouterState, now: BootTime) -> Vec<EventKind> {
        let mut changes = Vec::new();
        for ((class, uplink), path) in &mut self.paths {
            let family = self.catalogue.class(class).map(|class| class.family);
            let Some(attachment) = family.and_then(|family| self.attachments.get(&(*uplink, family))) else {
                continue;
            };
            let why = match attachment {
                Err(reason) => Some(reason.to_string()),
                Ok(attachment) => select::silent_gateway(attachment, router),
            };
            let Some(why) = why else { continue };
            if let Some(watch) = family.and_then(|family| self.watches.get_mut(&(*uplink, family))) {
                watch.restart();
            }
            if let Some(change) = path.short_cut_down(&why, now) {
                changes.push((class.clone(), *uplink, change));
            }
        }
        changes.into_iter().map(|(class, uplink, change)| self.path_event(&class, uplink, change)).collect()
    }
}

/// Whether an uplink is attached in any family (`None`: not known yet), and what the kernel says of it.
pub(in super::super) fn usable(attachments: &Attachments, id: UplinkId) -> (Option<bool>, String) {
    let mut of_uplink = Family::BOTH
        .iter()
        .filter_map(|family| attachments.get(&(id, *family)).map(|found| (family, found)))
        .peekable();
    if of_uplink.peek().is_none() {
        return (None, "not read yet".to_owned());
    }
    let (attached, missing): (Vec<_>, Vec<_>) = of_uplink.partition(|(_, found)| found.is_ok());
    let obstacle = missing.first().and_then(|(family, found)| Some((family, found.as_ref().err()?)));
    match (attached.first(), obstacle) {
        (None, obstacle) => (Some(false), obstacle.map(|(_, why)| why.to_string()).unwrap_or_default()),
        (Some(_), None) => (Some(true), "attached".to_owned()),
        (Some((with, _)), Some((without, why))) => (Some(true), format!("attached for {with}; {without}: {why}")),
    }
}

fn attachments(config: &Config, router: &RouterState) -> Attachments {
    let mut all = Attachments::new();
    for id in config.uplink_ids() {
        let uplink = config.uplink(id);
        for family in Family::BOTH.into_iter().filter(|family| uplink.carries(*family)) {
            all.insert((id, family), select::attachment(uplink, family, router));
        }
    }
    all
}
