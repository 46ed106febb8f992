//! Next hops of our protocol number on which something of others hangs: with a next hop the kernel deletes the routes that
//! refer to it, whosever they are.

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_core::DecodeError;
use netlink_packet_route::route::RouteMessage;

use super::{
    KernelError,
    frame::{Message, Request},
    message_type::{RTM_GETNEXTHOP, RTM_GETROUTE, RTM_NEWNEXTHOP},
    nexthop::NextHopMessage,
    ownership::Ownership,
    read::{absent_is_empty, address_family, head_of},
    route::RouteRecord,
    socket::RequestSocket,
};
use crate::domain::Family;

/// Members that are asked about, by the group of ours that they are in.
type Groups = BTreeMap<u32, Vec<u32>>;

/// Those of `candidates` that a route or a group of others refers to, directly or by a group of ours. The kernel lists all
/// routes of the router for it: rarely to be asked.
pub(super) async fn by_others(
    socket: &mut RequestSocket,
    own: Ownership,
    candidates: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>, KernelError> {
    if candidates.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (groups, mut needed) = groups(socket, own, candidates).await?;
    for family in Family::BOTH {
        let mut all = RouteMessage::default();
        all.header.address_family = address_family(family);
        let what = format!("list {family} routes that refer to next hops");
        let listed =
            socket.dump(&what, Request::new(RTM_GETROUTE, 0, &all), |needed: &mut BTreeSet<u32>, message| {
                if let Some(id) = referred_by_others(own, message, family)? {
                    needed.extend(groups.get(&id).into_iter().flatten());
                    needed.extend(candidates.get(&id));
                }
                Ok(())
            });
        needed.extend(absent_is_empty(listed.await)?);
    }
    Ok(needed)
}

/// The groups of ours with candidates in them, and the candidates that are in groups of others.
async fn groups(
    socket: &mut RequestSocket,
    own: Ownership,
    candidates: &BTreeSet<u32>,
) -> Result<(Groups, BTreeSet<u32>), KernelError> {
    let request = Request::new(RTM_GETNEXTHOP, 0, &NextHopMessage::default());
    let listed = socket.dump("list groups of next hops", request, |found: &mut (Groups, BTreeSet<u32>), message| {
        if message.kind != RTM_NEWNEXTHOP {
            return Ok(());
        }
        let NextHopMessage { id: Some(id), protocol, group: Some(members), .. } =
            NextHopMessage::parse(message.payload)?
        else {
            return Ok(());
        };
        let members = members.iter().map(|member| member.id).filter(|member| candidates.contains(member));
        let members: Vec<u32> = members.collect();
        if protocol != own.protocol {
            found.1.extend(members);
        } else if !members.is_empty() {
            found.0.insert(id, members);
        }
        Ok(())
    });
    listed.await
}

/// The next hop that a route refers to which is not ours: of another protocol number, or in a table of the kernel's own.
fn referred_by_others(own: Ownership, message: &Message<'_>, family: Family) -> Result<Option<u32>, DecodeError> {
    let Some(head) = head_of(message, family)? else { return Ok(None) };
    let record = RouteRecord::parse(head, message.payload)?;
    let ours = record.protocol == own.protocol && Ownership::may_have_owned(record.table);
    Ok(record.next_hop_id.filter(|_| !ours))
}
