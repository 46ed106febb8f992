//! The picture of the router, and what each event does to it. No I/O.

use std::{collections::BTreeSet, sync::Arc};

use netlink_packet_core::{DecodeError, NLM_F_APPEND, NLM_F_EXCL, NLM_F_REPLACE, parse_u32};

use super::{
    decode,
    frame::{Message, attributes, messages},
    message_type::{
        RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELNEXTHOP, RTM_DELROUTE, RTM_DELRULE, RTM_NEWADDR, RTM_NEWLINK,
        RTM_NEWNEIGH, RTM_NEWNEXTHOP, RTM_NEWROUTE, RTM_NEWRULE,
    },
    neighbours,
    nexthop::NextHopMessage,
    objects::Objects,
    ownership::Ownership,
    route::RouteHead,
    routes::{How, Outcome, Routes, Row},
    shown::Life,
    sieve::Sieve,
    survey::{Surroundings, uplinks},
};
use crate::domain::{IfIndex, Interest, ReadState, RouterState};

/// `RT_TABLE_COMPAT`: what the header says of tables above 255.
const RT_TABLE_COMPAT: u8 = 252;
const ROUTE_HEADER: usize = 12;
const RTA_TABLE: u16 = 15;

/// News of routes that are remembered while the routes are listed.
const LOG: usize = 16_384;

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effect {
    /// What is ours may have been touched.
    pub(super) touched: bool,
    /// Rules changed: list what is listed quickly.
    pub(super) glance: bool,
    /// More may have changed than was told: list everything.
    pub(super) survey: bool,
    /// Whether the picture changed.
    pub(super) publish: Publish,
}

/// When others must see the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Publish {
    /// It is as it was.
    #[default]
    Unchanged,
    /// Together with what else changes within milliseconds.
    Soon,
    /// At once: a link, or a default route by an uplink.
    Now,
}

impl Effect {
    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            touched: self.touched || other.touched,
            glance: self.glance || other.glance,
            survey: self.survey || other.survey,
            publish: self.publish.max(other.publish),
        }
    }
}

/// The picture and what is needed to read events.
#[derive(Debug)]
pub(super) struct Picture {
    /// What is shown; of the routes only after [`Picture::refresh`].
    pub(super) state: RouterState,
    own: Ownership,
    pub(super) sieve: Sieve,
    routes: Routes,
    objects: Objects,
    uplinks: BTreeSet<IfIndex>,
    /// What is shown of defaults, or of other routes, is not what is held.
    dirty: (bool, bool),
    /// News of routes since a listing began; it may have missed them.
    log: Option<Vec<(Row, How)>>,
    log_overflowed: bool,
    /// The routes were listed at least once.
    listed: bool,
}

impl Picture {
    pub(super) fn new(own: Ownership, interest: Arc<Interest>) -> Self {
        Self {
            state: RouterState::default(),
            own,
            sieve: Sieve::new(own, interest),
            routes: Routes::default(),
            objects: Objects::default(),
            uplinks: BTreeSet::new(),
            dirty: (false, false),
            log: None,
            log_overflowed: false,
            listed: false,
        }
    }

    /// Takes what was listed quickly. The events that it is older than are applied after it.
    pub(super) fn take_surroundings(&mut self, found: Surroundings) {
        let gone: Vec<_> =
            self.state.links.keys().filter(|index| !found.links.contains_key(index)).copied().collect();
        for index in gone {
            self.routes.forget(index);
        }
        self.state.links = found.links;
        self.state.addresses = found.addresses;
        self.state.neighbours = found.neighbours;
        self.state.rules = found.rules;
        self.objects = found.objects;
        self.links_changed();
    }

    /// From now on, news of routes are remembered.
    pub(super) fn begin_listing(&mut self) {
        self.log = Some(Vec::new());
        self.log_overflowed = false;
    }

    /// Takes the routes that were listed, with the news since the listing began. Returns whether all is certain.
    pub(super) fn take_routes(&mut self, listed: Routes) -> bool {
        let mut routes = listed;
        self.listed = true;
        let mut certain = !std::mem::take(&mut self.log_overflowed);
        for (row, how) in self.log.take().unwrap_or_default() {
            certain &= !routes.take(&row, how).doubt;
        }
        if self.routes != routes {
            self.routes = routes;
            self.dirty = (true, true);
        }
        certain
    }

    /// Whether the routes were listed at least once.
    pub(super) fn knows_routes(&self) -> bool {
        self.listed
    }

    /// A listing failed.
    pub(super) fn end_listing(&mut self) {
        self.log = None;
    }

    /// Brings what is shown of the routes up to date.
    pub(super) fn refresh(&mut self) {
        let (defaults, routes) = std::mem::take(&mut self.dirty);
        let life = Life { links: &self.state.links, objects: &self.objects, uplinks: &self.uplinks };
        if defaults {
            self.state.defaults = life.defaults(&self.routes);
        }
        if routes {
            let (shown, omitted) = life.routes(&self.routes);
            if *self.state.routes != *shown {
                self.state.routes = shown.into();
            }
            self.state.routes_omitted = omitted;
        }
    }

    /// Applies a datagram of events. One that cannot be read asks for a survey.
    pub(super) fn absorb(&mut self, datagram: &[u8]) -> Effect {
        let mut effect = Effect::default();
        for message in messages(datagram) {
            let read = message.and_then(|message| self.event(&message));
            effect = effect.and(read.unwrap_or_else(|error| {
                log::warn!("a netlink event cannot be read, everything is listed again: {error}");
                Effect { touched: true, survey: true, ..Effect::default() }
            }));
        }
        if effect.survey {
            self.state.routes_read = ReadState::Stale;
        }
        effect
    }

    fn event(&mut self, message: &Message<'_>) -> Result<Effect, DecodeError> {
        let payload = message.payload;
        match message.kind {
            RTM_NEWLINK | RTM_DELLINK => self.link_event(payload, message.kind == RTM_DELLINK),
            RTM_NEWNEIGH | RTM_DELNEIGH => self.neighbour_event(payload, message.kind == RTM_DELNEIGH),
            RTM_NEWADDR | RTM_DELADDR => self.address_event(payload, message.kind == RTM_DELADDR),
            RTM_NEWROUTE | RTM_DELROUTE => self.route_event(message),
            RTM_NEWRULE | RTM_DELRULE => {
                let glance = decode::rule(payload, self.own.protocol)?.is_some();
                Ok(Effect { touched: true, glance, ..Effect::default() })
            }
            RTM_NEWNEXTHOP | RTM_DELNEXTHOP => {
                self.next_hop_event(&NextHopMessage::parse(payload)?, message.kind == RTM_DELNEXTHOP)
            }
            _ => Ok(Effect::default()),
        }
    }

    /// Routes come and go with their link, often without a word (admin-down says nothing of IPv4 routes).
    fn link_event(&mut self, payload: &[u8], gone: bool) -> Result<Effect, DecodeError> {
        let Some(link) = decode::link(payload)? else {
            return Ok(Effect::default());
        };
        let (index, up, carrier) = (link.index, link.admin_up && !gone, link.is_usable() && !gone);
        let changed = if gone {
            self.forget(index)
        } else {
            self.state.links.get(&index) != Some(&link) && {
                self.state.links.insert(index, link);
                true
            }
        };
        if !changed {
            return Ok(Effect { touched: true, ..Effect::default() });
        }
        if !up {
            self.routes.forget(index);
        }
        if !carrier {
            // The kernel removes these and the routes that refer to them, and restores neither.
            for id in self.objects.forget(index) {
                self.routes.forget_object(id);
            }
        }
        self.links_changed();
        Ok(Effect { touched: true, survey: true, publish: Publish::Now, ..Effect::default() })
    }

    fn forget(&mut self, index: IfIndex) -> bool {
        self.state.addresses.retain(|address| address.index != index);
        self.state.neighbours.retain(|(interface, _), _| *interface != index);
        self.state.links.remove(&index).is_some()
    }

    fn links_changed(&mut self) {
        self.uplinks = uplinks(&self.state.links, &self.sieve);
        self.dirty = (true, true);
    }

    /// Announcements of IPv6 routers refresh addresses every few seconds: that is no news.
    fn address_event(&mut self, payload: &[u8], gone: bool) -> Result<Effect, DecodeError> {
        let Some(address) = decode::address(payload)? else {
            return Ok(Effect::default());
        };
        let addresses = &mut self.state.addresses;
        let held = addresses.iter().position(|held| (held.index, held.net) == (address.index, address.net));
        let changed = match held.and_then(|at| addresses.get_mut(at)) {
            Some(_) if gone => held.map(|at| addresses.remove(at)).is_some(),
            Some(held) => std::mem::replace(held, address) != address,
            None if gone => false,
            None => {
                addresses.push(address);
                true
            }
        };
        // Routes with that source address went with it, without a word.
        let publish = if changed { Publish::Soon } else { Publish::Unchanged };
        Ok(Effect { touched: changed, survey: changed, publish, ..Effect::default() })
    }

    fn neighbour_event(&mut self, payload: &[u8], gone: bool) -> Result<Effect, DecodeError> {
        let Some((index, address, state)) = decode::neighbour(payload)? else {
            return Ok(Effect::default());
        };
        let key = (index, address);
        let changed = match state.filter(|_| !gone) {
            None => self.state.neighbours.remove(&key).is_some(),
            Some(state) => neighbours::take(&mut self.state.neighbours, key, state, &self.uplinks),
        };
        let news = changed && self.uplinks.contains(&index);
        Ok(Effect { publish: if news { Publish::Soon } else { Publish::Unchanged }, ..Effect::default() })
    }

    /// A full table's updates pass here: nothing but the head and the destination is looked at unless it may matter.
    fn route_event(&mut self, message: &Message<'_>) -> Result<Effect, DecodeError> {
        let payload = message.payload;
        let Some(head) = RouteHead::parse(payload)? else {
            return Ok(Effect::default());
        };
        let in_our_table = match head.table {
            RT_TABLE_COMPAT => table_of(payload)?.is_some_and(|table| self.own.owns_table(table)),
            low => self.own.owns_table(u32::from(low)),
        };
        let touched = in_our_table || head.protocol == self.own.protocol;
        let Some(row) = self.sieve.row(payload)?.filter(|_| !in_our_table) else {
            // A route of another kind may have taken the place of one that is held.
            let survey = !in_our_table && head.kind().is_none() && message.flags & NLM_F_REPLACE != 0;
            return Ok(Effect { touched, survey, ..Effect::default() });
        };
        let how = match message.flags {
            _ if message.kind == RTM_DELROUTE => How::Gone,
            flags if flags & NLM_F_REPLACE != 0 => How::Replacing,
            flags if flags & NLM_F_EXCL != 0 => How::Alone,
            flags => How::Beside { last: flags & NLM_F_APPEND != 0 },
        };
        Ok(Effect { touched, ..self.route_news(row, how) })
    }

    fn route_news(&mut self, row: Row, how: How) -> Effect {
        let life = Life { links: &self.state.links, objects: &self.objects, uplinks: &self.uplinks };
        let is_default = row.key.is_default();
        // Before and after.
        let at_once =
            is_default && self.routes.named(&row.key).iter().chain([&row.held]).any(|held| life.is_by_uplink(held));
        let Outcome { changed, doubt } = self.routes.take(&row, how);
        if changed {
            self.mark_dirty(is_default);
        }
        match &mut self.log {
            Some(log) if log.len() < LOG => log.push((row, how)),
            Some(_) => self.log_overflowed = true,
            None => {}
        }
        let publish = match (changed, at_once) {
            (false, _) => Publish::Unchanged,
            (true, false) => Publish::Soon,
            (true, true) => Publish::Now,
        };
        Effect { survey: doubt, publish, ..Effect::default() }
    }

    /// Routes die with their next hop without a word; those that die with ours are ours.
    fn next_hop_event(&mut self, object: &NextHopMessage, gone: bool) -> Result<Effect, DecodeError> {
        let id = object.id.ok_or_else(|| DecodeError::from("a next hop without an id"))?;
        let touched = self.own.claims_next_hop(id);
        if touched && object.protocol == self.own.protocol {
            return Ok(Effect { touched, ..Effect::default() });
        }
        let concerned: Vec<u32> =
            self.objects.groups_of(id).chain([id]).filter(|id| self.routes.refers_to(*id)).collect();
        let of_default = concerned.iter().any(|id| self.routes.default_refers_to(*id));
        let changed = if gone {
            let mut ids = self.objects.remove(id);
            ids.push(id);
            ids.into_iter().filter(|id| self.routes.forget_object(*id)).count() > 0
        } else {
            self.objects.set(self.own, object)
        };
        if concerned.is_empty() || !(changed || gone) {
            return Ok(Effect { touched, ..Effect::default() });
        }
        self.dirty = (true, true);
        let publish = if of_default { Publish::Now } else { Publish::Soon };
        Ok(Effect { touched, survey: gone, publish, ..Effect::default() })
    }

    fn mark_dirty(&mut self, default: bool) {
        let (defaults, routes) = &mut self.dirty;
        *if default { defaults } else { routes } = true;
    }
}

fn table_of(payload: &[u8]) -> Result<Option<u32>, DecodeError> {
    for attribute in attributes(payload, ROUTE_HEADER) {
        if let (RTA_TABLE, value) = attribute? {
            return parse_u32(value).map(Some);
        }
    }
    Ok(None)
}
