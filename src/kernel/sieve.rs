//! Tells the few routes that can matter from a full table of others. No I/O, and no allocation for those that do not.

use std::sync::Arc;

use netlink_packet_core::DecodeError;

use super::{
    ownership::Ownership,
    route::{RouteHead, RouteRecord},
    routes::{Held, Key, Row},
};
use crate::domain::{Interest, RouteKind};

/// `RT_TABLE_COMPAT`: what the head says of tables above 255.
const RT_TABLE_COMPAT: u8 = 252;
/// `RTPROT_KERNEL`: routes that come with an address.
const RTPROT_KERNEL: u8 = 2;

/// What is ours, and what is of interest.
#[derive(Debug, Clone)]
pub(super) struct Sieve {
    own: Ownership,
    interest: Arc<Interest>,
}

impl Sieve {
    pub(super) fn new(own: Ownership, interest: Arc<Interest>) -> Self {
        Self { own, interest }
    }

    /// Whether an interface of that name belongs to an uplink.
    pub(super) fn is_uplink(&self, name: &str) -> bool {
        self.interest.interfaces.iter().any(|interface| interface == name)
    }

    /// The route of a message, if it is a default, touches a destination, or is connected. Looks at the fixed head,
    /// then at the destination, and reads the rest only of what may be kept.
    pub(super) fn row(&self, payload: &[u8]) -> Result<Option<Row>, DecodeError> {
        let Some(head) = RouteHead::parse(payload)? else {
            return Ok(None);
        };
        let Some(kind) = head.kind().filter(|_| !self.is_in_low_table_of_ours(&head)) else {
            return Ok(None);
        };
        let is_default = head.prefix_len == 0;
        let may_be_connected = head.protocol == RTPROT_KERNEL && kind == RouteKind::Unicast;
        let wanted =
            is_default || self.interest.destinations.touches_bytes(RouteHead::destination(payload), head.prefix_len);
        if !wanted && !may_be_connected {
            return Ok(None);
        }
        let record = RouteRecord::parse(head, payload)?;
        let connected = record.ways().all(|way| way.gateway.is_none());
        Ok((!self.own.owns_table(record.table) && (wanted || connected)).then(|| row(&record, kind, wanted)))
    }

    fn is_in_low_table_of_ours(&self, head: &RouteHead) -> bool {
        head.table != RT_TABLE_COMPAT && self.own.owns_table(u32::from(head.table))
    }
}

fn row(record: &RouteRecord, kind: RouteKind, wanted: bool) -> Row {
    let RouteRecord { destination, table, metric, source, tos, protocol, next_hop_id, .. } = *record;
    // Reject routes of IPv6 name an interface (`lo`), which means nothing.
    let ways = if kind == RouteKind::Unicast { record.ways().collect() } else { Box::default() };
    Row {
        key: Key { destination: destination.trunc(), table, metric, source, tos },
        held: Held { kind, protocol, next_hop_id, ways, wanted },
    }
}
