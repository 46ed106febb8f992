//! Azure "Service Tags – Public".
//!
//! Source of the format: "Virtual network service tags", Microsoft Learn; the file is published weekly.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};

use super::{
    document::{Document, Prefixes, each},
    refusal::{CatalogueError, name, suggest},
    statement::{ClassKey, Facts, Gathered, Statement, Steering},
};
use crate::{config::ServiceTags, domain::Source};

const WHAT: &str = "a \"Service Tags - Public\" file";

/// The cloud that Peering Service leads to; the others (`AzureGovernment`, `AzureChinaCloud`) have files of their own.
const CLOUD: &str = "Public";

/// One tag; what is not needed here is passed over.
#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
    properties: Properties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    #[serde(default)]
    region: String,
    #[serde(default)]
    system_service: String,
    address_prefixes: Prefixes,
}

/// Reads a file.
pub(super) fn read(chosen: &ServiceTags, into: &mut Gathered) -> Result<(), CatalogueError> {
    let document = Document::open(&chosen.file, WHAT)?;
    let origin = document.origin.clone();
    into.begin(Source::ServiceTags, &origin);
    let mut names: Vec<Box<str>> = Vec::new();
    let head = document.read(|json| {
        let take = |tag: Tag| {
            names.push(tag.name.as_str().into());
            take(&origin, tag, chosen, into)
        };
        Whole(take).deserialize(json)
    })?;
    if let Some(cloud) = head.cloud.filter(|cloud| cloud != CLOUD) {
        let problem = format!("lists the cloud {cloud:?}, which Peering Service does not lead to");
        return Err(CatalogueError::new(&origin, problem, format!("name {WHAT}")));
    }
    head.tags?;
    if let Some(number) = head.change_number {
        into.set_version(format!("change {number}"));
    }
    into.end(&origin)?;
    check_tags(&origin, &names, chosen)
}

fn take(origin: &str, tag: Tag, chosen: &ServiceTags, into: &mut Gathered) -> Result<(), CatalogueError> {
    let tag_name =
        name(&tag.name).map_err(|problem| CatalogueError::unsound(origin, format!("service tag {problem}")))?;
    let refuse = |problem| CatalogueError::unsound(origin, format!("service tag {tag_name}: {problem}"));
    let Properties { region, system_service, address_prefixes } = tag.properties;
    let prefixes = address_prefixes.0.map_err(refuse)?;
    let base = tag_name.split('.').next().unwrap_or(tag_name);
    let service = if system_service.is_empty() { base } else { name(&system_service).map_err(refuse)? };
    let service = into.word(service);
    let region = if region.is_empty() { None } else { Some(into.word(name(&region).map_err(refuse)?)) };
    let order = chosen.tags.iter().position(|chosen| chosen.eq_ignore_ascii_case(tag_name));
    if order.is_some() && prefixes.is_empty() {
        return Err(CatalogueError::new(
            origin,
            format!("service tag {tag_name}, which destinations.service_tags.tags names, lists no prefix"),
            "remove the tag from the configuration",
        ));
    }
    let steering = order.map(|order| Steering {
        order: u32::try_from(order).unwrap_or(u32::MAX),
        class: into.class(ClassKey {
            stem: format!("azure.{}", tag_name.to_lowercase()),
            service: Arc::clone(&service),
            region: region.clone(),
            tag: Some(tag_name.to_lowercase()),
            by_region: chosen.by_region,
        }),
    });
    let statement = Statement {
        listing: into.listing(),
        rank: vagueness(region.is_some(), !system_service.is_empty()),
        facts: Facts { source: Source::ServiceTags, service, category: None, region },
        name: tag_name.into(),
        steering,
    };
    into.add(origin, statement, &prefixes)
}

/// The tag that says most counts: a service in a region, a region, a service, everything.
fn vagueness(has_region: bool, has_service: bool) -> u32 {
    match (has_region, has_service) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

fn check_tags(origin: &str, names: &[Box<str>], chosen: &ServiceTags) -> Result<(), CatalogueError> {
    let known = || names.iter().map(|name| &**name);
    match chosen.tags.iter().find(|tag| !known().any(|known| known.eq_ignore_ascii_case(tag))) {
        None => Ok(()),
        Some(tag) => Err(CatalogueError::new(
            origin,
            format!("has no tag \"{tag}\", which destinations.service_tags.tags names"),
            suggest(tag, known()),
        )),
    }
}

/// The document as it is read: hands on each tag.
struct Whole<F>(F);

/// What stands around the tags.
struct Head {
    change_number: Option<u64>,
    cloud: Option<String>,
    tags: Result<(), CatalogueError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Key {
    ChangeNumber,
    Cloud,
    Values,
    #[serde(other)]
    Other,
}

impl<'de, F: FnMut(Tag) -> Result<(), CatalogueError>> DeserializeSeed<'de> for Whole<F> {
    type Value = Head;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Head, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Tag) -> Result<(), CatalogueError>> Visitor<'de> for Whole<F> {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of tags")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Head, A::Error> {
        let (mut change_number, mut cloud, mut tags) = (None, None, None);
        while let Some(key) = map.next_key()? {
            match key {
                Key::ChangeNumber => change_number = Some(map.next_value()?),
                Key::Cloud => cloud = Some(map.next_value()?),
                Key::Values if tags.is_some() => return Err(A::Error::duplicate_field("values")),
                Key::Values => tags = Some(map.next_value_seed(each("a list of tags", &mut self.0))?),
                Key::Other => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Head { change_number, cloud, tags: tags.ok_or_else(|| A::Error::missing_field("values"))? })
    }
}
