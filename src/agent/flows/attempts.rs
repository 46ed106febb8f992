//! Pure: what deletions came to. Where flows come back as they were, something leads them to another uplink before we do,
//! and they are right there.

use std::collections::{BTreeMap, BTreeSet};

use super::judgement::OnUplinks;
use crate::kernel::Flows;

/// What deletions since the last move came to.
#[derive(Debug, Clone, Default)]
pub struct Attempts {
    /// What the last look found, where it deleted.
    before: BTreeMap<OnUplinks, u64>,
    futile: BTreeSet<OnUplinks>,
}

impl Attempts {
    /// Whether deleting is of no use until the next move.
    pub fn are_futile(&self, key: &OnUplinks) -> bool {
        self.futile.contains(key)
    }

    /// Takes away what the last look's deletions did not make fewer.
    pub fn give_up(&mut self, found: &mut Flows<OnUplinks>) {
        for (key, before) in std::mem::take(&mut self.before) {
            let now = found.counts.get(&key).copied().unwrap_or_default();
            if now >= before {
                log::info!(
                    "{now} flows of {} came back with the address of another uplink after {before} were reset: something \
                     else leads them there; they are left alone until the next move (see `ip rule`)",
                    key.0
                );
                self.futile.insert(key);
            }
        }
        found.flows.retain(|(key, _)| !self.futile.contains(key));
        found.counts.retain(|key, _| !self.futile.contains(key));
    }

    /// A look `found` that much and deleted some of it.
    pub fn made(&mut self, found: BTreeMap<OnUplinks, u64>, deleted: &BTreeMap<OnUplinks, u64>) {
        self.before = found;
        self.before.retain(|key, _| deleted.contains_key(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClassId, UplinkId};

    fn counts(of: &[(&str, u64)]) -> BTreeMap<OnUplinks, u64> {
        of.iter().map(|(class, count)| ((ClassId::new(class), [UplinkId(0)].into()), *count)).collect()
    }

    fn next(attempts: &mut Attempts, of: &[(&str, u64)]) -> BTreeMap<OnUplinks, u64> {
        let mut found = Flows { counts: counts(of), flows: Vec::new() };
        attempts.give_up(&mut found);
        found.counts
    }

    #[test]
    fn flows_that_come_back_as_they_were_are_given_up_and_fewer_are_not() {
        let mut attempts = Attempts::default();
        assert_eq!(next(&mut attempts, &[("a", 5), ("b", 5), ("c", 5)]), counts(&[("a", 5), ("b", 5), ("c", 5)]));
        attempts.made(counts(&[("a", 5), ("b", 5), ("c", 5)]), &counts(&[("a", 5), ("b", 1)]));
        let rest = next(&mut attempts, &[("a", 5), ("b", 4), ("c", 5)]);
        assert_eq!(rest, counts(&[("b", 4), ("c", 5)]), "nothing of c was deleted");
        assert!(next(&mut attempts, &[("a", 1)]).is_empty(), "until the next move");
    }
}
