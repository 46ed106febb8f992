//! The answer of the Microsoft 365 endpoints web service (`/endpoints/worldwide`).
//!
//! Source of the format: "Microsoft 365 IP Address and URL web service", Microsoft Learn.

use std::{path::Path, sync::Arc};

use serde::Deserialize;

use super::{
    record::{ClassKey, Record},
    source::{CatalogueError, not_json, prefix, read_json, suggest},
};
use crate::{
    config::Microsoft365,
    domain::{Category, Source},
};

/// The snapshot in the binary, so that a fresh install steers without internet; its origin is in `config/README.md`.
const BUNDLED: &str = include_str!("../../config/microsoft365-endpoints.json");
/// Its date.
pub(super) const BUNDLED_DATE: &str = "2024-05-07";

const WHAT: &str = "an answer of the Microsoft 365 endpoints web service";

/// One endpoint set; what is not needed here is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointSet {
    id: u32,
    service_area: String,
    #[serde(default)]
    ips: Vec<String>,
    category: SetCategory,
}

/// As the service spells it.
#[derive(Debug, Clone, Copy, Deserialize)]
enum SetCategory {
    Optimize,
    Allow,
    Default,
}

impl From<SetCategory> for Category {
    fn from(category: SetCategory) -> Self {
        match category {
            SetCategory::Optimize => Self::Optimize,
            SetCategory::Allow => Self::Allow,
            SetCategory::Default => Self::Default,
        }
    }
}

/// Reads a file.
pub(super) fn read(file: &Path, chosen: &Microsoft365) -> Result<Vec<Record>, CatalogueError> {
    records(&file.display().to_string(), &read_json::<Vec<EndpointSet>>(file, WHAT)?, chosen)
}

/// Reads the snapshot in the binary.
pub(super) fn bundled(chosen: &Microsoft365) -> Result<Vec<Record>, CatalogueError> {
    let origin = "bundled Microsoft 365 snapshot";
    let sets: Vec<EndpointSet> = serde_json::from_str(BUNDLED).map_err(|error| not_json(origin, &error, WHAT))?;
    records(origin, &sets, chosen)
}

fn records(origin: &str, sets: &[EndpointSet], chosen: &Microsoft365) -> Result<Vec<Record>, CatalogueError> {
    check_services(origin, sets, chosen)?;
    let mut records = Vec::new();
    for set in sets {
        let service = set.service_area.to_lowercase();
        let category = Category::from(set.category);
        let steered = chosen.categories.contains(&category)
            && (chosen.services.is_empty() || chosen.services.contains(&service));
        let key = steered
            .then(|| Arc::new(ClassKey { stem: format!("m365.{service}"), service: service.clone(), region: None }));
        let service: Arc<str> = service.into();
        for written in &set.ips {
            records.push(Record {
                prefix: prefix(origin, &format!("endpoint set {}", set.id), written)?,
                source: Source::Microsoft365,
                service: Arc::clone(&service),
                category: Some(category),
                region: None,
                rank: set.id,
                steered: key.clone(),
            });
        }
    }
    if records.is_empty() {
        return Err(CatalogueError::new(origin, "lists no prefix", "download it again from Microsoft"));
    }
    Ok(records)
}

fn check_services(origin: &str, sets: &[EndpointSet], chosen: &Microsoft365) -> Result<(), CatalogueError> {
    let known = || sets.iter().map(|set| set.service_area.as_str());
    match chosen.services.iter().find(|service| !known().any(|known| known.eq_ignore_ascii_case(service))) {
        None => Ok(()),
        Some(service) => Err(CatalogueError::new(
            origin,
            format!("has no service area \"{service}\", which destinations.microsoft365.services names"),
            suggest(service, known()),
        )),
    }
}
