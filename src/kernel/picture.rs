//! The picture of the router, and what each event does to it. No I/O.

use netlink_packet_core::{DecodeError, parse_u32};

use super::{
    decode,
    frame::{Message, attributes, messages},
    message_type::{
        RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELNEXTHOP, RTM_DELROUTE, RTM_DELRULE, RTM_NEWADDR, RTM_NEWLINK,
        RTM_NEWNEIGH, RTM_NEWNEXTHOP, RTM_NEWROUTE, RTM_NEWRULE,
    },
    nexthop::NextHopMessage,
    ownership::Ownership,
    route::RouteHead,
    survey::{NEIGHBOURS, Surroundings},
};
use crate::domain::{DefaultRoute, IfIndex, ReadState, RouterState};

/// `RT_TABLE_COMPAT`: what the header says of tables above 255.
const RT_TABLE_COMPAT: u8 = 252;
const ROUTE_HEADER: usize = 12;
const RTA_TABLE: u16 = 15;

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Effect {
    /// What is ours may have been touched.
    pub(super) touched: bool,
    /// More may have changed than was told: look again.
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
    /// At once: a link.
    Now,
}

impl Effect {
    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            touched: self.touched || other.touched,
            survey: self.survey || other.survey,
            publish: self.publish.max(other.publish),
        }
    }
}

/// The picture and what is needed to read events.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) state: RouterState,
    own: Ownership,
}

impl Picture {
    pub(super) fn new(own: Ownership) -> Self {
        Self { state: RouterState::default(), own }
    }

    /// Takes what a survey found.
    pub(super) fn take_surroundings(&mut self, found: Surroundings) {
        self.state.links = found.links;
        self.state.addresses = found.addresses;
        self.state.neighbours = found.neighbours;
    }

    /// Takes default routes, and whether the picture is complete with them.
    pub(super) fn take_defaults(&mut self, defaults: Vec<DefaultRoute>, read: ReadState) {
        self.state.defaults = defaults;
        self.state.read = read;
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
        effect
    }

    fn event(&mut self, message: &Message<'_>) -> Result<Effect, DecodeError> {
        let payload = message.payload;
        match message.kind {
            RTM_NEWLINK | RTM_DELLINK => self.link_event(payload, message.kind == RTM_DELLINK),
            RTM_NEWNEIGH | RTM_DELNEIGH => self.neighbour_event(payload, message.kind == RTM_DELNEIGH),
            RTM_NEWADDR | RTM_DELADDR => Ok(Effect { touched: true, survey: true, ..Effect::default() }),
            RTM_NEWROUTE | RTM_DELROUTE => self.route_event(payload),
            RTM_NEWRULE | RTM_DELRULE => Ok(Effect { touched: true, ..Effect::default() }),
            RTM_NEWNEXTHOP | RTM_DELNEXTHOP => {
                let object = NextHopMessage::parse(payload)?;
                // Routes die with their next hop without a word; those that die with ours are ours.
                let touched = object.id.is_some_and(|id| self.own.claims_next_hop(id));
                let ours = touched && object.protocol == self.own.protocol;
                Ok(Effect { touched, survey: !ours, ..Effect::default() })
            }
            _ => Ok(Effect::default()),
        }
    }

    /// Routes come and go with their link, often without a word (admin-down says nothing of IPv4 routes).
    fn link_event(&mut self, payload: &[u8], gone: bool) -> Result<Effect, DecodeError> {
        let Some(link) = decode::link(payload)? else {
            return Ok(Effect::default());
        };
        let index = link.index;
        let changed =
            if gone { self.forget(index) } else { self.state.links.insert(index, link.clone()) != Some(link) };
        let publish = if changed { Publish::Now } else { Publish::Unchanged };
        Ok(Effect { touched: true, survey: true, publish })
    }

    fn forget(&mut self, index: IfIndex) -> bool {
        self.state.addresses.retain(|address| address.index != index);
        self.state.defaults.retain(|route| route.index != index);
        self.state.neighbours.retain(|(interface, _), _| *interface != index);
        self.state.links.remove(&index).is_some()
    }

    fn neighbour_event(&mut self, payload: &[u8], gone: bool) -> Result<Effect, DecodeError> {
        let Some((index, address, state)) = decode::neighbour(payload)? else {
            return Ok(Effect::default());
        };
        let neighbours = &mut self.state.neighbours;
        let key = (index, address);
        let changed = match state.filter(|_| !gone) {
            None => neighbours.remove(&key).is_some(),
            Some(state) if neighbours.len() < NEIGHBOURS || neighbours.contains_key(&key) => {
                neighbours.insert(key, state) != Some(state)
            }
            Some(_) => false,
        };
        let publish = if changed { Publish::Soon } else { Publish::Unchanged };
        Ok(Effect { publish, ..Effect::default() })
    }

    /// A full table's updates pass here: nothing but the head is looked at unless it may matter.
    fn route_event(&mut self, payload: &[u8]) -> Result<Effect, DecodeError> {
        let Some(head) = RouteHead::parse(payload)? else {
            return Ok(Effect::default());
        };
        let in_our_table = match head.table {
            RT_TABLE_COMPAT => table_of(payload)?.is_some_and(|table| self.own.owns_table(table)),
            low => self.own.owns_table(u32::from(low)),
        };
        Ok(Effect {
            touched: in_our_table || head.protocol == self.own.protocol,
            survey: head.prefix_len == 0 && !in_our_table,
            ..Effect::default()
        })
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
