//! The answer of the Microsoft 365 endpoints web service (`/endpoints/worldwide`).
//!
//! Source of the format: "Microsoft 365 IP Address and URL web service", Microsoft Learn.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use serde::{Deserialize, de::DeserializeSeed};

use super::{
    document::{Document, Prefixes, each},
    refusal::{CatalogueError, name, suggest},
    statement::{ClassKey, Facts, Gathered, Statement, Steering},
};
use crate::{
    config::Microsoft365,
    domain::{Category, Source},
};

/// The snapshot in the binary, so that a fresh install steers without internet; its origin is in `config/README.md`.
const BUNDLED: &str = include_str!("../../config/microsoft365-endpoints.json");
/// Its date.
const BUNDLED_DATE: &str = "2024-05-07";

const WHAT: &str = "an answer of the Microsoft 365 endpoints web service";

/// One endpoint set; what is not needed here is passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointSet {
    id: u32,
    service_area: String,
    #[serde(default)]
    ips: Prefixes,
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
pub(super) fn read(file: &Path, chosen: &Microsoft365, into: &mut Gathered) -> Result<(), CatalogueError> {
    let document = Document::open(file, WHAT)?;
    into.begin(Source::Microsoft365, &document.origin);
    take_all(document, chosen, into)
}

/// Reads the snapshot in the binary.
pub(super) fn read_bundled(chosen: &Microsoft365, into: &mut Gathered) -> Result<(), CatalogueError> {
    into.begin(Source::Microsoft365, "bundled snapshot");
    into.set_version(BUNDLED_DATE.to_owned());
    take_all(Document::bundled("bundled Microsoft 365 snapshot", WHAT, BUNDLED), chosen, into)
}

fn take_all(document: Document, chosen: &Microsoft365, into: &mut Gathered) -> Result<(), CatalogueError> {
    let origin = document.origin.clone();
    let mut areas = BTreeSet::new();
    document.read(|json| {
        each("a list of endpoint sets", |set: EndpointSet| take(&origin, set, chosen, into, &mut areas))
            .deserialize(json)
    })??;
    into.end(&origin)?;
    check_services(&origin, &areas, chosen)
}

fn take(
    origin: &str,
    set: EndpointSet,
    chosen: &Microsoft365,
    into: &mut Gathered,
    areas: &mut BTreeSet<String>,
) -> Result<(), CatalogueError> {
    let refuse = |problem| CatalogueError::unsound(origin, format!("endpoint set {}: {problem}", set.id));
    let service = into.word(name(&set.service_area).map_err(refuse)?);
    let prefixes = set.ips.0.map_err(refuse)?;
    let category = Category::from(set.category);
    let steered = chosen.categories.contains(&category)
        && (chosen.services.is_empty() || chosen.services.iter().any(|chosen| **chosen == *service));
    let steering = steered.then(|| Steering {
        order: set.id,
        class: into.class(ClassKey {
            stem: format!("m365.{service}"),
            service: Arc::clone(&service),
            region: None,
            tag: None,
            by_region: false,
        }),
    });
    let facts = Facts { source: Source::Microsoft365, service, category: Some(category), region: None };
    let statement = Statement { facts, listing: into.listing(), rank: set.id, name: "".into(), steering };
    into.add(origin, statement, &prefixes)?;
    areas.insert(set.service_area);
    Ok(())
}

fn check_services(origin: &str, areas: &BTreeSet<String>, chosen: &Microsoft365) -> Result<(), CatalogueError> {
    let known = || areas.iter().map(String::as_str);
    match chosen.services.iter().find(|service| !known().any(|known| known.eq_ignore_ascii_case(service))) {
        None => Ok(()),
        Some(service) => Err(CatalogueError::new(
            origin,
            format!("has no service area \"{service}\", which destinations.microsoft365.services names"),
            suggest(service, known()),
        )),
    }
}
