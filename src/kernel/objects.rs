//! Next-hop objects of others, to which their routes may refer instead of telling their way. No I/O.

use std::collections::BTreeMap;

use super::{nexthop::NextHopMessage, ownership::Ownership};
use crate::domain::{IfIndex, NextHop};

/// Objects that are kept; routes that refer to others are shown with the ways that they tell themselves.
const OBJECTS: usize = 65_536;
/// Members of a group that are kept; the kernel allows about as many.
const MEMBERS: usize = 1024;

/// What an id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Object {
    Way(NextHop),
    Blackhole,
    Group(Box<[u32]>),
}

/// All of them, by id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Objects(BTreeMap<u32, Object>);

/// Where an id leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    Ways(Vec<NextHop>),
    Blackhole,
}

impl Objects {
    /// Takes an object as told; returns whether that changes where its id leads. Those of ours are not kept.
    pub(super) fn set(&mut self, own: Ownership, message: &NextHopMessage) -> bool {
        let Some((id, object)) = message.id.zip(object(message)) else { return false };
        if own.claims_next_hop(id) && message.protocol == own.protocol {
            return false;
        }
        if self.0.len() >= OBJECTS && !self.0.contains_key(&id) {
            return false;
        }
        self.0.get(&id) != Some(&object) && {
            self.0.insert(id, object);
            true
        }
    }

    /// Removes one, also from its groups; those that are empty then are gone too. Returns what is gone.
    pub(super) fn remove(&mut self, id: u32) -> Vec<u32> {
        let mut gone: Vec<u32> = self.0.remove(&id).map(|_| id).into_iter().collect();
        if !gone.is_empty() {
            self.leave_groups(&mut gone);
        }
        gone
    }

    /// Removes those that leave by an interface, as the kernel does without a word when it loses its carrier.
    pub(super) fn forget(&mut self, index: IfIndex) -> Vec<u32> {
        let by = |object: &Object| matches!(object, Object::Way(way) if way.index == index);
        let mut gone: Vec<u32> = self.0.iter().filter(|(_, object)| by(object)).map(|(id, _)| *id).collect();
        self.0.retain(|_, object| !by(object));
        if !gone.is_empty() {
            self.leave_groups(&mut gone);
        }
        gone
    }

    /// Where an id leads; `None` if it is not known.
    pub(super) fn resolve(&self, id: u32) -> Option<Resolved> {
        match self.0.get(&id)? {
            Object::Way(way) => Some(Resolved::Ways(vec![*way])),
            Object::Blackhole => Some(Resolved::Blackhole),
            Object::Group(members) => {
                let way = |member: &u32| match self.0.get(member) {
                    Some(Object::Way(way)) => Some(*way),
                    _ => None,
                };
                // A group may consist of one object that drops everything.
                let drops = members.iter().any(|member| self.0.get(member) == Some(&Object::Blackhole));
                Some(if drops {
                    Resolved::Blackhole
                } else {
                    Resolved::Ways(members.iter().filter_map(way).collect())
                })
            }
        }
    }

    /// Ids of the groups that an object is a member of.
    pub(super) fn groups_of(&self, id: u32) -> impl Iterator<Item = u32> + '_ {
        let holds = move |object: &Object| matches!(object, Object::Group(members) if members.contains(&id));
        self.0.iter().filter(move |(_, object)| holds(object)).map(|(group, _)| *group)
    }

    fn leave_groups(&mut self, gone: &mut Vec<u32>) {
        let left = gone.clone();
        self.0.retain(|id, object| {
            let Object::Group(members) = object else { return true };
            if members.iter().any(|member| left.contains(member)) {
                *members = members.iter().copied().filter(|member| !left.contains(member)).collect();
            }
            let stays = !members.is_empty();
            if !stays {
                gone.push(*id);
            }
            stays
        });
    }
}

fn object(message: &NextHopMessage) -> Option<Object> {
    if let Some(members) = &message.group {
        return Some(Object::Group(members.iter().take(MEMBERS).map(|member| member.id).collect()));
    }
    if message.blackhole {
        return Some(Object::Blackhole);
    }
    let index = IfIndex(message.interface?);
    Some(Object::Way(NextHop { index, gateway: message.gateway }))
}
