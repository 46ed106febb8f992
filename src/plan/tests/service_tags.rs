//! Microsoft's whole list, as one class: the figures that the design promises.

use std::{collections::BTreeSet, io::Read};

use flate2::read::GzDecoder;
use ipnet::IpNet;

use super::{kernel, names};
use crate::{
    domain::{Class, ClassId, Family, PrefixSet},
    plan::Layout,
};

/// Source: Azure "Service Tags - Public" of 2025-09-01 (see `benches/data/README.md`).
const SERVICE_TAGS: &[u8] = include_bytes!("../../../benches/data/service-tags-public-2025-09-01.json.gz");

fn prefixes() -> BTreeSet<IpNet> {
    let mut text = String::new();
    GzDecoder::new(SERVICE_TAGS).read_to_string(&mut text).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tags = document["values"].as_array().unwrap().iter();
    let listed = tags.flat_map(|tag| tag["properties"]["addressPrefixes"].as_array().unwrap());
    listed.map(|prefix| prefix.as_str().unwrap().parse::<IpNet>().unwrap().trunc()).collect()
}

#[test]
fn all_service_tags_in_one_class_are_2979_routes_that_cover_not_one_address_more() {
    let prefixes = prefixes();
    assert_eq!(prefixes.len(), 50_625);
    let mut routes: Vec<IpNet> = Vec::new();
    for (family, count) in [(Family::Ipv4, 1_865), (Family::Ipv6, 1_114)] {
        let of_family = prefixes.iter().filter(|prefix| Family::of_net(**prefix) == family).copied();
        let class = Class {
            id: ClassId::new("azure"),
            family,
            service: "azure".to_owned(),
            region: None,
            prefixes: of_family.collect(),
            rule: None,
            zone: None,
        };
        let layout = Layout::new(&kernel(), std::slice::from_ref(&class), &names(), &BTreeSet::new());
        assert_eq!(layout.routes(&class.id).len(), count, "{family}");
        routes.extend(layout.routes(&class.id));
    }
    let covered: PrefixSet = routes.into_iter().collect();
    assert_eq!(covered, prefixes.into_iter().collect());
}
