//! Azure "Service Tags – Public".
//!
//! Source of the format: "Virtual network service tags", Microsoft Learn; the file is published weekly.

use std::{path::Path, sync::Arc};

use serde::Deserialize;

use super::{
    record::{ClassKey, Record},
    source::{CatalogueError, prefix, read_json, suggest},
};
use crate::{config::ServiceTags, domain::Source};

/// The document; what is not needed here is passed over.
#[derive(Debug, Deserialize)]
struct Document {
    values: Vec<Tag>,
}

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
    address_prefixes: Vec<String>,
}

/// Reads a file.
pub(super) fn read(config: &ServiceTags) -> Result<Vec<Record>, CatalogueError> {
    let file: &Path = &config.file;
    let origin = file.display().to_string();
    let document: Document = read_json(file, "a \"Service Tags - Public\" file")?;
    check_tags(&origin, &document, config)?;
    let mut records = Vec::new();
    for tag in &document.values {
        let template = template(tag, config);
        for written in &tag.properties.address_prefixes {
            let prefix = prefix(&origin, &format!("service tag {}", tag.name), written)?;
            records.push(Record { prefix, ..template.clone() });
        }
    }
    if records.is_empty() {
        return Err(CatalogueError::new(&origin, "lists no prefix", "download it again from Microsoft"));
    }
    Ok(records)
}

/// What all records of a tag share. Its rank puts a chosen tag first, in the order chosen, and then the tag that says
/// most: a service in a region, a region, a service, everything.
fn template(tag: &Tag, config: &ServiceTags) -> Record {
    let Properties { region, system_service, .. } = &tag.properties;
    let chosen = config.tags.iter().position(|chosen| chosen.eq_ignore_ascii_case(&tag.name));
    let base = tag.name.split('.').next().unwrap_or(&tag.name);
    let service = if system_service.is_empty() { base } else { system_service }.to_lowercase();
    let region = (!region.is_empty()).then(|| region.to_lowercase());
    let vagueness = match (region.is_some(), system_service.is_empty()) {
        (true, false) => 0,
        (true, true) => 1,
        (false, false) => 2,
        (false, true) => 3,
    };
    let key = chosen.map(|_| {
        let stem = format!("azure.{}", tag.name.to_lowercase());
        Arc::new(ClassKey { stem, service: service.clone(), region: region.clone() })
    });
    Record {
        prefix: ipnet::IpNet::default(),
        source: Source::ServiceTags,
        service: service.into(),
        category: None,
        region: region.map(Arc::from),
        rank: chosen.map_or(u32::MAX - 3 + vagueness, |position| u32::try_from(position).unwrap_or(u32::MAX - 4)),
        steered: key,
    }
}

fn check_tags(origin: &str, document: &Document, config: &ServiceTags) -> Result<(), CatalogueError> {
    let known = || document.values.iter().map(|tag| tag.name.as_str());
    match config.tags.iter().find(|tag| !known().any(|known| known.eq_ignore_ascii_case(tag))) {
        None => Ok(()),
        Some(tag) => Err(CatalogueError::new(
            origin,
            format!("has no tag \"{tag}\", which destinations.service_tags.tags names"),
            suggest(tag, known()),
        )),
    }
}
