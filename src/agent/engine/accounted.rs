//! A class's decision accounted for, as things are at the asking.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    domain::{BootTime, Class, ClassId, UplinkId},
    select::{self, Account, Way},
};

impl Engine {
    /// Every candidate with its gates, and what would change the decision; none before the router was read.
    pub fn account(&self, id: &ClassId, now: BootTime) -> Option<Account> {
        let class = self.roster.class(id)?;
        let decision = self.decisions.get(id)?;
        let (paths, ways) = (self.inputs(class), self.ways(class, now));
        Some(select::account(&self.policies, class, &paths, &ways, decision, self.moment(now)))
    }

    fn ways(&self, class: &Class, now: BootTime) -> BTreeMap<UplinkId, Way> {
        let measured = self.roster.measured_as(&class.id).map(|measured| &measured.id);
        let way = |id: UplinkId| {
            let attachment = self.attachments.get(&(id, class.family))?;
            let uplink = self.config.uplink(id);
            let way = Way {
                interface: uplink.interface.clone(),
                next_hop: attachment.as_ref().ok().map(|attachment| attachment.next_hop),
                needs_route: uplink.require_route,
                recovery: measured
                    .and_then(|measured| self.paths.get(&(measured.clone(), id)))
                    .and_then(|path| Some(path.recovery(now)?.to_string())),
            };
            Some((id, way))
        };
        self.config.uplink_ids().filter_map(way).collect()
    }
}
