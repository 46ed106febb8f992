//! Routes and next-hop objects as they are followed: listed now and then, and brought up to date by each event. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    nexthop::NextHopMessage,
    objects::Objects,
    ownership::Ownership,
    picture::{Effect, Publish},
    routes::{How, Outcome, Routes, Row},
    shown::Life,
};
use crate::domain::{IfIndex, Link, RouterState};

/// News of routes that are remembered while the routes are listed.
const LOG: usize = 16_384;

/// What is held, and what of it is not shown yet.
#[derive(Debug, Default)]
pub(super) struct Followed {
    routes: Routes,
    objects: Objects,
    unshown: Unshown,
    /// News of routes since a listing began, which may have missed them.
    log: Option<Log>,
    /// The routes were listed at least once.
    listed: bool,
    /// The links were.
    links_listed: bool,
}

/// What may differ from what is shown.
#[derive(Debug, Default)]
struct Unshown {
    defaults: bool,
    routes: bool,
}

#[derive(Debug, Default)]
struct Log {
    news: Vec<(Row, How)>,
    overflowed: bool,
}

impl Followed {
    /// From now on, news of routes are remembered.
    pub(super) fn begin_listing(&mut self) {
        self.log = Some(Log::default());
    }

    /// A listing failed.
    pub(super) fn end_listing(&mut self) {
        self.log = None;
    }

    /// Takes the routes that were listed, with the news since the listing began. Returns whether all is certain.
    pub(super) fn take_routes(&mut self, listed: Routes) -> bool {
        let mut routes = listed;
        self.listed = true;
        let Log { news, overflowed } = self.log.take().unwrap_or_default();
        let mut certain = !overflowed;
        for (row, how) in news {
            certain &= !routes.take(&row, how).doubt;
        }
        if self.routes != routes {
            self.routes = routes;
            self.all_changed();
        }
        certain
    }

    /// Takes the objects that were listed.
    pub(super) fn take_objects(&mut self, listed: Objects) {
        if self.objects != listed {
            self.objects = listed;
            self.all_changed();
        }
    }

    /// Whether the routes were listed at least once.
    pub(super) fn knows_routes(&self) -> bool {
        self.listed
    }

    /// From now on, a link that is not known is gone, or new and told in a moment.
    pub(super) fn links_listed(&mut self) {
        if !std::mem::replace(&mut self.links_listed, true) {
            self.all_changed();
        }
    }

    /// What is shown may differ: a way lives or does not, an interface is an uplink or not.
    pub(super) fn all_changed(&mut self) {
        self.unshown = Unshown { defaults: true, routes: true };
    }

    /// A link is administratively down, or gone: the kernel removed what leaves by it, of IPv4 without a word.
    pub(super) fn link_down(&mut self, index: IfIndex) {
        if self.routes.forget(index) {
            self.all_changed();
        }
    }

    /// A link carries nothing: the kernel removed the objects that leave by it and the routes that refer to them, without
    /// a word, and restores neither. Other routes stay, and are dead until the link carries again.
    pub(super) fn link_unusable(&mut self, index: IfIndex) {
        for id in self.objects.forget(index) {
            self.routes.forget_object(id);
            self.all_changed();
        }
    }

    /// Brings what is shown up to date.
    pub(super) fn show(&mut self, state: &mut RouterState, uplinks: &BTreeSet<IfIndex>) {
        let links_listed = self.links_listed;
        let life = Life { links: &state.links, links_listed, objects: &self.objects, uplinks };
        if std::mem::take(&mut self.unshown.defaults) {
            state.defaults = life.defaults(&self.routes);
        }
        if std::mem::take(&mut self.unshown.routes) {
            let life = Life { links: &state.links, links_listed, objects: &self.objects, uplinks };
            let (shown, omitted) = life.routes(&self.routes);
            if *state.routes != *shown {
                state.routes = shown.into();
            }
            state.routes_omitted = omitted;
        }
    }

    /// A route came or went.
    pub(super) fn route(
        &mut self,
        row: Row,
        how: How,
        links: &BTreeMap<IfIndex, Link>,
        uplinks: &BTreeSet<IfIndex>,
    ) -> Effect {
        let life = Life { links, links_listed: self.links_listed, objects: &self.objects, uplinks };
        let is_default = row.key.is_default();
        // Those that were there, and this one.
        let concerned = || self.routes.named(&row.key).iter().chain([&row.held]);
        let at_once = is_default && concerned().any(|held| life.is_by_uplink(held));
        let Outcome { changed, doubt } = self.routes.take(&row, how);
        self.unshown.defaults |= changed && is_default;
        self.unshown.routes |= changed && !is_default;
        match &mut self.log {
            Some(log) if log.news.len() < LOG => log.news.push((row, how)),
            Some(log) => log.overflowed = true,
            None => {}
        }
        let publish = match (changed, at_once) {
            (false, _) => Publish::Unchanged,
            (true, false) => Publish::Soon,
            (true, true) => Publish::Now,
        };
        Effect { survey: doubt, publish, ..Effect::default() }
    }

    /// An object of others came or went. Routes die with their next hop without a word.
    pub(super) fn object(&mut self, own: Ownership, id: u32, message: &NextHopMessage, gone: bool) -> Effect {
        let concerned: Vec<u32> =
            self.objects.groups_of(id).chain([id]).filter(|id| self.routes.refers_to(*id)).collect();
        let of_default = concerned.iter().any(|id| self.routes.default_refers_to(*id));
        let changed = if gone {
            let mut ids = self.objects.remove(id);
            ids.push(id);
            ids.into_iter().filter(|id| self.routes.forget_object(*id)).count() > 0
        } else {
            self.objects.set(own, message)
        };
        if concerned.is_empty() || !(changed || gone) {
            return Effect::default();
        }
        self.all_changed();
        let publish = if of_default { Publish::Now } else { Publish::Soon };
        Effect { survey: gone, publish, ..Effect::default() }
    }
}
