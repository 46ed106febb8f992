//! The picture of the router, and what each event does to it. No I/O.

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, NLM_F_APPEND, NLM_F_EXCL, NLM_F_REPLACE, NLMSG_OVERRUN, parse_u32};

use super::{
    decode,
    followed::Followed,
    frame::{Message, attributes, messages},
    message_type::{
        RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELNEXTHOP, RTM_DELROUTE, RTM_DELRULE, RTM_NEWADDR, RTM_NEWLINK,
        RTM_NEWNEIGH, RTM_NEWNEXTHOP, RTM_NEWROUTE, RTM_NEWRULE,
    },
    neighbours,
    nexthop::NextHopMessage,
    ownership::Ownership,
    route::RouteHead,
    routes::How,
    sieve::Sieve,
    survey::{Links, Surroundings, uplinks},
};
use crate::domain::{Address, IfIndex, Interest, Link, ReadState, RouterState};

/// `RT_TABLE_COMPAT`: what the header says of tables above 255.
const RT_TABLE_COMPAT: u8 = 252;
const ROUTE_HEADER: usize = 12;
const RTA_TABLE: u16 = 15;

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effect {
    /// What is ours may have been touched.
    pub(super) touched: bool,
    /// Whether what is listed quickly is to be listed.
    pub(super) glance: Glance,
    /// More may have changed than was told: list everything.
    pub(super) survey: bool,
    /// Whether the picture changed.
    pub(super) publish: Publish,
}

/// Why to list what is listed quickly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Glance {
    /// It is as it is held.
    #[default]
    NotNeeded,
    /// Rules changed.
    Wanted,
    /// Events were lost, or cannot be read: nothing is certain until then.
    Lost,
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
    /// What a break in the stream of events asks for.
    const LOST: Self = Self { touched: true, glance: Glance::Lost, survey: true, publish: Publish::Unchanged };

    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            touched: self.touched || other.touched,
            glance: self.glance.max(other.glance),
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
    pub(super) followed: Followed,
    uplinks: BTreeSet<IfIndex>,
}

impl Picture {
    pub(super) fn new(own: Ownership, interest: Arc<Interest>) -> Self {
        Self {
            state: RouterState::default(),
            own,
            sieve: Sieve::new(own, interest),
            followed: Followed::default(),
            uplinks: BTreeSet::new(),
        }
    }

    /// Takes what was listed quickly. The events that it is older than are applied after it. Returns whether routes may
    /// have gone without a word: it tells what changed before the event does, which finds nothing changed then.
    pub(super) fn take_surroundings(&mut self, found: Surroundings) -> bool {
        let doubtful = self.take_links(found.links) || sorted(&self.state.addresses) != sorted(&found.addresses);
        self.state.addresses = found.addresses;
        self.state.neighbours = found.neighbours;
        self.state.rules = found.rules;
        if let Some(objects) = found.objects {
            self.followed.take_objects(objects);
        }
        self.find_uplinks();
        doubtful
    }

    /// Returns whether one that was there before changed or is gone.
    fn take_links(&mut self, found: Links) -> bool {
        let held = std::mem::replace(&mut self.state.links, found);
        let indexes: BTreeSet<IfIndex> = held.keys().chain(self.state.links.keys()).copied().collect();
        let mut doubtful = false;
        for index in indexes {
            let (before, now) = (held.get(&index), self.state.links.get(&index).cloned());
            if before != now.as_ref() {
                doubtful |= before.is_some();
                self.link_changed(index, before, now.as_ref());
            }
        }
        self.followed.links_listed();
        doubtful
    }

    /// Brings what is shown of the routes up to date.
    pub(super) fn refresh(&mut self) {
        self.followed.show(&mut self.state, &self.uplinks);
    }

    /// Applies a datagram of events. One that cannot be read counts as lost: it may have told that a link is down.
    pub(super) fn absorb(&mut self, datagram: &[u8]) -> Effect {
        let mut effect = Effect::default();
        for message in messages(datagram) {
            let read = message.and_then(|message| self.event(&message));
            effect = effect.and(read.unwrap_or_else(|error| {
                log::warn!("a netlink event cannot be read, everything is listed again: {error}");
                Effect::LOST
            }));
        }
        if effect.glance == Glance::Lost {
            self.state.read = ReadState::Stale;
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
                let others = decode::rule(payload, self.own.protocol)?.is_some();
                let glance = if others { Glance::Wanted } else { Glance::NotNeeded };
                Ok(Effect { touched: true, glance, ..Effect::default() })
            }
            RTM_NEWNEXTHOP | RTM_DELNEXTHOP => {
                self.next_hop_event(&NextHopMessage::parse(payload)?, message.kind == RTM_DELNEXTHOP)
            }
            // Kernels say so by ENOBUFS; what says it in the stream is no less to be believed.
            NLMSG_OVERRUN => Ok(Effect::LOST),
            _ => Ok(Effect::default()),
        }
    }

    /// Routes come and go with their link, often without a word (admin-down says nothing of IPv4 routes).
    fn link_event(&mut self, payload: &[u8], gone: bool) -> Result<Effect, DecodeError> {
        let Some(link) = decode::link(payload)? else {
            return Ok(Effect::default());
        };
        let index = link.index;
        let before = if gone { self.forget(index) } else { self.state.links.insert(index, link.clone()) };
        let now = Some(link).filter(|_| !gone);
        let changed = before != now;
        if !changed {
            return Ok(Effect { touched: true, ..Effect::default() });
        }
        self.link_changed(index, before.as_ref(), now.as_ref());
        self.find_uplinks();
        // Nothing leads out of one that was not there before.
        Ok(Effect { touched: true, survey: before.is_some(), publish: Publish::Now, ..Effect::default() })
    }

    fn link_changed(&mut self, index: IfIndex, before: Option<&Link>, now: Option<&Link>) {
        let was = |is: fn(&Link) -> bool| before.is_some_and(is) && !now.is_some_and(is);
        if was(|link| link.admin_up) || now.is_none() {
            self.followed.link_down(index);
        }
        if was(Link::is_usable) {
            self.followed.link_unusable(index);
        }
        if before.map(Link::is_usable) != now.map(Link::is_usable) {
            self.followed.all_changed();
        }
    }

    fn find_uplinks(&mut self) {
        let uplinks = uplinks(&self.state.links, &self.sieve);
        if self.uplinks != uplinks {
            self.uplinks = uplinks;
            self.followed.all_changed();
        }
    }

    fn forget(&mut self, index: IfIndex) -> Option<Link> {
        self.state.addresses.retain(|address| address.index != index);
        self.state.neighbours.retain(|(interface, _), _| *interface != index);
        self.state.links.remove(&index)
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
        Ok(Effect { touched, ..self.followed.route(row, how, &self.state.links, &self.uplinks) })
    }

    fn next_hop_event(&mut self, object: &NextHopMessage, gone: bool) -> Result<Effect, DecodeError> {
        let id = object.id.ok_or_else(|| DecodeError::from("a next hop without an id"))?;
        let touched = self.own.claims_next_hop(id);
        if touched && object.protocol == self.own.protocol {
            return Ok(Effect { touched, ..Effect::default() });
        }
        Ok(Effect { touched, ..self.followed.object(self.own, id, object, gone) })
    }
}

/// In an order of their own: events add to the end.
fn sorted(addresses: &[Address]) -> BTreeSet<(IfIndex, IpNet, bool, bool)> {
    addresses.iter().map(|address| (address.index, address.net, address.global, address.ready)).collect()
}

fn table_of(payload: &[u8]) -> Result<Option<u32>, DecodeError> {
    for attribute in attributes(payload, ROUTE_HEADER) {
        if let (RTA_TABLE, value) = attribute? {
            return parse_u32(value).map(Some);
        }
    }
    Ok(None)
}
