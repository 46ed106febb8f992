//! All records to destinations and classes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Catalogue,
    record::{ClassKey, Record},
    targets,
};
use crate::domain::{Class, ClassId, Destination, Family};

/// One destination a distinct prefix; one class a key and family that steers any.
pub(super) fn merge(mut records: Vec<Record>) -> Catalogue {
    records
        .sort_by(|one, other| one.prefix.cmp(&other.prefix).then_with(|| one.precedence().cmp(&other.precedence())));
    let mut catalogue = Catalogue::default();
    let mut steering: Vec<Option<&Arc<ClassKey>>> = Vec::new();
    for same in records.chunk_by(|one, other| one.prefix == other.prefix) {
        catalogue.destinations.extend(destination(same));
        steering.push(same.iter().find_map(|record| record.steered.as_ref()));
    }
    catalogue.lengths = lengths(&catalogue.destinations);
    catalogue.classes = classes(&catalogue.destinations, &steering);
    catalogue.steered_by = positions(&catalogue, &steering);
    catalogue.targets = targets::of_all(&catalogue);
    catalogue
}

/// What the records of one prefix, most trusted first, say together.
fn destination(records: &[Record]) -> Option<Destination> {
    let first = records.first()?;
    let sources: BTreeSet<_> = records.iter().map(|record| record.source).collect();
    Some(Destination {
        prefix: first.prefix,
        service: Arc::clone(&first.service),
        category: first.category,
        region: first.region.clone(),
        sources: sources.into_iter().collect(),
    })
}

fn lengths(destinations: &[Destination]) -> [Vec<u8>; 2] {
    Family::BOTH.map(|family| {
        let lengths: BTreeSet<u8> = destinations
            .iter()
            .filter(|destination| Family::of_net(destination.prefix) == family)
            .map(|destination| destination.prefix.prefix_len())
            .collect();
        lengths.into_iter().rev().collect()
    })
}

fn classes(destinations: &[Destination], steering: &[Option<&Arc<ClassKey>>]) -> Vec<Class> {
    let mut classes: BTreeMap<ClassId, Class> = BTreeMap::new();
    for (destination, key) in destinations.iter().zip(steering) {
        let Some(key) = key else { continue };
        let family = Family::of_net(destination.prefix);
        let class = classes.entry(key.id(family)).or_insert_with_key(|id| Class {
            id: id.clone(),
            family,
            service: key.service.clone(),
            region: key.region.clone(),
            prefixes: Vec::new(),
        });
        class.prefixes.push(destination.prefix);
    }
    classes.into_values().collect()
}

fn positions(catalogue: &Catalogue, steering: &[Option<&Arc<ClassKey>>]) -> Vec<Option<usize>> {
    catalogue
        .destinations
        .iter()
        .zip(steering)
        .map(|(destination, key)| {
            let id = (*key)?.id(Family::of_net(destination.prefix));
            catalogue.classes.binary_search_by(|class| class.id.cmp(&id)).ok()
        })
        .collect()
}
