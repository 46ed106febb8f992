//! Next-hop ids that follow from names: the same after a restart and after a catalogue update, so that what the kernel
//! holds can be adopted.

use std::collections::HashSet;

use crate::domain::Family;

use super::NextHopId;

/// Ids of one kind: half of our range of 65,536.
const HALF: u32 = 1 << 15;

/// Slots of one kind and family in that half. The first slot is never given: id 0 is none to the kernel.
const SLOTS: u32 = HALF / 2 - 1;

/// What an id stands for. The kinds come from disjoint halves of the range, because the kernel refuses to replace a
/// next-hop object by a group of the same id, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NextHop,
    Group,
}

/// Gives ids out of our range, no id twice.
#[derive(Debug)]
pub(super) struct IdRange {
    base: u32,
    given: HashSet<NextHopId>,
}

impl IdRange {
    /// A range of which nothing is given yet. An odd base is rounded up, because the family is in the lowest bit.
    pub fn new(base: u32) -> Self {
        Self { base: base.next_multiple_of(2), given: HashSet::new() }
    }

    /// The id of a name: its hash, or the next free slot after it (in which case the order of asking matters: ask in
    /// the order of names). None when all slots are taken.
    pub fn give(&mut self, kind: Kind, family: Family, name: &str) -> Option<NextHopId> {
        let half = match kind {
            Kind::NextHop => 0,
            Kind::Group => HALF,
        };
        let bit = match family {
            Family::Ipv4 => 0,
            Family::Ipv6 => 1,
        };
        let first = fnv1a(name.as_bytes()) % SLOTS;
        (0..SLOTS)
            .map(|step| 1 + (first + step) % SLOTS)
            .map(|slot| NextHopId(self.base.saturating_add(half + 2 * slot + bit)))
            .find(|id| self.given.insert(*id))
    }
}

/// FNV-1a, 32 bits: fixed for ever, unlike the standard library's hasher.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
