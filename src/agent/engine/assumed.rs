//! What is taken for known instead of being measured: a rehearsal sends no probes of its own.

use std::collections::BTreeSet;

use super::Engine;
use crate::{
    domain::{ClassId, UplinkId},
    plan::Side,
    select::{Memory, PathInput},
};

impl Engine {
    /// Takes a path of a class of the catalogue for what `input` says, whatever is measured; whether there is a way through the
    /// uplink still follows from the router.
    pub fn assume(&mut self, class: &ClassId, uplink: UplinkId, input: PathInput) {
        self.assumed.insert((class.clone(), uplink), input);
    }

    /// Goes on from there at the first decision of a class.
    pub fn start_from(&mut self, class: &ClassId, memory: Memory) {
        self.starts.insert(class.clone(), memory);
    }

    /// The tables of one side.
    pub fn tables(&self, side: Side) -> BTreeSet<u32> {
        self.layout.tables(side)
    }
}
