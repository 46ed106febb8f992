//! Pure: where each class is, and what it left lately.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::domain::{ClassId, UplinkId};

/// How long a departure is judged by: longer than the last look that belongs to it waits.
const SPAN: Duration = Duration::from_secs(15);

/// Classes and their uplinks.
#[derive(Debug)]
pub struct Places {
    uplinks: BTreeSet<UplinkId>,
    /// Departures are not forgotten: flows that stay behind are counted for as long as they are there.
    remember: bool,
    /// Where each class was last.
    at: BTreeMap<ClassId, BTreeSet<UplinkId>>,
    /// Since when a class is nowhere.
    nowhere: BTreeMap<ClassId, Instant>,
    left: BTreeMap<(ClassId, UplinkId), Instant>,
}

impl Places {
    /// What an earlier run left at these `uplinks`, which is no move.
    pub fn new(uplinks: BTreeSet<UplinkId>, remember: bool, held: &BTreeMap<ClassId, BTreeSet<UplinkId>>) -> Self {
        let at = held.iter().filter(|(_, uplinks)| !uplinks.is_empty());
        let at = at.map(|(class, uplinks)| (class.clone(), uplinks.clone())).collect();
        Self { uplinks, remember, at, nowhere: BTreeMap::new(), left: BTreeMap::new() }
    }

    /// Returns whether a class is elsewhere than it last was. One that is nowhere at the moment stays where it was: it
    /// is on its way.
    pub fn note(&mut self, held: &BTreeMap<ClassId, BTreeSet<UplinkId>>, now: Instant) -> bool {
        let mut departures = BTreeSet::new();
        for (class, uplinks) in held {
            if uplinks.is_empty() {
                self.nowhere.entry(class.clone()).or_insert(now);
                continue;
            }
            let lost = self.nowhere.remove(class);
            let was = self.at.insert(class.clone(), uplinks.clone());
            if was.as_ref() != Some(uplinks) {
                // Who was not steered may come from any uplink: the router's own routes are not ours to know.
                let long = lost.is_some_and(|since| now.saturating_duration_since(since) > SPAN);
                let from = was.filter(|_| !long).unwrap_or_else(|| self.uplinks.clone());
                departures.extend(from.difference(uplinks).map(|from| (class.clone(), *from)));
            }
        }
        if departures.is_empty() {
            return false;
        }
        if !self.remember {
            self.left.retain(|_, at| now.saturating_duration_since(*at) <= SPAN);
        }
        self.left.extend(departures.into_iter().map(|departure| (departure, now)));
        true
    }

    /// Classes, and the uplinks that they left lately.
    pub fn left(&self) -> BTreeSet<(ClassId, UplinkId)> {
        self.left.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLINKS: [UplinkId; 3] = [UplinkId(0), UplinkId(1), UplinkId(2)];
    const SECOND: Duration = Duration::from_secs(1);

    fn held(places: &[(&str, Option<u16>)]) -> BTreeMap<ClassId, BTreeSet<UplinkId>> {
        places
            .iter()
            .map(|(class, uplink)| (ClassId::new(class), uplink.map(UplinkId).into_iter().collect()))
            .collect()
    }

    fn left(places: &Places) -> Vec<(String, u16)> {
        places.left().into_iter().map(|(class, uplink)| (class.to_string(), uplink.0)).collect()
    }

    fn places(remember: bool) -> Places {
        Places::new(UPLINKS.into(), remember, &held(&[("a", Some(0)), ("b", Some(0))]))
    }

    #[test]
    fn only_a_class_that_moved_left_something_and_only_where_it_was() {
        let (mut places, now) = (places(false), Instant::now());
        assert!(!places.note(&held(&[("a", Some(0)), ("b", Some(0))]), now), "what an earlier run left is no move");
        assert!(!places.note(&held(&[("a", None), ("b", Some(0))]), now), "it is on its way");
        assert!(places.note(&held(&[("a", Some(1)), ("b", Some(0))]), now + SECOND));
        assert_eq!(left(&places), [("a".to_owned(), 0)]);
        assert!(places.note(&held(&[("a", Some(0)), ("b", Some(0))]), now + 2 * SECOND));
        assert_eq!(left(&places), [("a".to_owned(), 0), ("a".to_owned(), 1)], "there and back");
    }

    #[test]
    fn an_old_departure_is_forgotten_at_the_next_move_unless_flows_are_kept() {
        for (remember, expected) in
            [(false, vec![("b".to_owned(), 0)]), (true, vec![("a".to_owned(), 0), ("b".to_owned(), 0)])]
        {
            let (mut places, now) = (places(remember), Instant::now());
            places.note(&held(&[("a", Some(1)), ("b", Some(0))]), now);
            places.note(&held(&[("a", Some(1)), ("b", Some(1))]), now + 16 * SECOND);
            assert_eq!(left(&places), expected);
        }
    }

    #[test]
    fn a_class_that_was_not_steered_may_have_left_any_uplink() {
        let (mut places, now) = (places(false), Instant::now());
        assert!(places.note(&held(&[("c", Some(0)), ("a", None)]), now));
        assert_eq!(left(&places), [("c".to_owned(), 1), ("c".to_owned(), 2)]);
        assert!(places.note(&held(&[("c", Some(0)), ("a", Some(1))]), now + 16 * SECOND));
        assert_eq!(left(&places), [("a".to_owned(), 0), ("a".to_owned(), 2)]);
    }

    #[test]
    fn a_balanced_class_leaves_only_the_uplink_that_it_is_no_more_on() {
        let on = |uplinks: &[u16]| -> BTreeMap<ClassId, BTreeSet<UplinkId>> {
            [(ClassId::new("a"), uplinks.iter().copied().map(UplinkId).collect())].into()
        };
        let (mut places, now) = (Places::new(UPLINKS.into(), false, &on(&[0, 1])), Instant::now());
        assert!(!places.note(&on(&[0, 1]), now));
        assert!(places.note(&on(&[1]), now + SECOND), "a member went");
        assert_eq!(left(&places), [("a".to_owned(), 0)]);
        assert!(!places.note(&on(&[0, 1]), now + 2 * SECOND), "who comes takes nothing from who is there");
        assert!(places.note(&on(&[2]), now + 20 * SECOND));
        assert_eq!(left(&places), [("a".to_owned(), 0), ("a".to_owned(), 1)]);
    }
}
