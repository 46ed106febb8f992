//! The neighbours that are kept: those on uplinks first. No I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::domain::{IfIndex, NeighbourState};

/// Neighbours that are kept: those of uplinks are few, and a client network of any size must not fill the memory.
pub(super) const NEIGHBOURS: usize = 4096;

pub(super) type NeighbourKey = (IfIndex, IpAddr);
pub(super) type Neighbours = BTreeMap<NeighbourKey, NeighbourState>;

/// Takes the state of one, and returns whether that is news. Where there is no room, one on an uplink takes the place
/// of one elsewhere.
pub(super) fn take(
    all: &mut Neighbours,
    key: NeighbourKey,
    state: NeighbourState,
    uplinks: &BTreeSet<IfIndex>,
) -> bool {
    if all.len() >= NEIGHBOURS && !all.contains_key(&key) {
        if !uplinks.contains(&key.0) {
            return false;
        }
        let Some(elsewhere) = all.keys().rev().find(|(index, _)| !uplinks.contains(index)).copied() else {
            return false;
        };
        all.remove(&elsewhere);
    }
    all.insert(key, state) != Some(state)
}
