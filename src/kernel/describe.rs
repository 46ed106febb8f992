//! Changes in words, for errors.

use crate::{
    domain::NextHop,
    plan::{Change, Via},
};

pub(super) fn describe_change(change: &Change) -> String {
    match change {
        Change::SetNextHop(id, _, next_hop) => format!("set next hop {} to {}", id.0, describe(next_hop)),
        Change::SetGroup(id, group) => {
            format!(
                "set next-hop group {} to {:?}",
                id.0,
                group.members.keys().map(|member| member.0).collect::<Vec<_>>()
            )
        }
        Change::AddRoute(table, prefix, via) => format!("add route {prefix} of table {table} by {}", way(via)),
        Change::MoveRoute { table, prefix, from, to } => {
            format!("move route {prefix} of table {table} from {} to {}", way(from), way(to))
        }
        Change::DeleteRoute(table, prefix) => format!("delete route {prefix} of table {table}"),
        Change::AddRule(rule) => format!("add {} rule {} to table {}", rule.family, rule.preference, rule.table),
        Change::DeleteRule(rule) => {
            format!("delete {} rule {} to table {}", rule.family, rule.preference, rule.table)
        }
        Change::DeleteNextHop(id) => format!("delete next hop {}", id.0),
    }
}

fn way(via: &Via) -> String {
    match via {
        Via::Group(id) => format!("next-hop group {}", id.0),
        Via::NextHop(next_hop) => describe(next_hop),
    }
}

fn describe(next_hop: &NextHop) -> String {
    match next_hop.gateway {
        Some(gateway) => format!("{gateway} by interface {}", next_hop.index.0),
        None => format!("interface {}", next_hop.index.0),
    }
}
