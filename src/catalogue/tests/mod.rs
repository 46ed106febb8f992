//! The catalogue against Microsoft's real documents, and against bad ones.

mod lookup;
mod merging;
mod reading;
mod rules;
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use tempfile::TempDir;

use super::Catalogue;
use crate::{
    config::{Destinations, Microsoft365, Microsoft365Source, ServiceTags, StaticList},
    domain::Category,
};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn endpoints() -> PathBuf {
    data("microsoft365-endpoints-worldwide-2024-05-07.json")
}

fn tags_file() -> PathBuf {
    data("service-tags-trimmed.json")
}

/// Microsoft 365 from a source, Optimize and Allow.
fn microsoft365(source: Microsoft365Source) -> Destinations {
    Destinations {
        microsoft365: Microsoft365 {
            source,
            services: vec![],
            categories: vec![Category::Optimize, Category::Allow],
        },
        service_tags: None,
        static_lists: vec![],
    }
}

fn bundled() -> Destinations {
    microsoft365(Microsoft365Source::Bundled)
}

/// The bundled snapshot and the real tags, of which these are steered.
fn with_tags(tags: &[&str]) -> Destinations {
    Destinations { service_tags: Some(service_tags(tags_file(), tags)), ..bundled() }
}

fn service_tags(file: PathBuf, tags: &[&str]) -> ServiceTags {
    ServiceTags { file, tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), by_region: false }
}

/// The real tags alone.
fn tags_alone(tags: &[&str]) -> Destinations {
    Destinations { service_tags: Some(service_tags(tags_file(), tags)), ..microsoft365(Microsoft365Source::Off) }
}

/// Static lists alone.
fn lists(lists: &[(&str, &[&str])]) -> Destinations {
    let static_lists = lists
        .iter()
        .map(|(name, prefixes)| StaticList {
            name: (*name).to_owned(),
            prefixes: prefixes.iter().map(|prefix| net(prefix)).collect(),
        })
        .collect();
    Destinations { static_lists, ..microsoft365(Microsoft365Source::Off) }
}

/// A document in a folder of its own.
struct Written {
    _folder: TempDir,
    file: PathBuf,
}

fn written(name: &str, document: impl AsRef<[u8]>) -> Written {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, document).unwrap();
    Written { _folder: folder, file }
}

/// The catalogue of a Microsoft 365 document.
fn load_microsoft365(document: impl AsRef<[u8]>) -> Result<Catalogue, String> {
    let written = written("endpoints.json", document);
    let loaded = Catalogue::load(&microsoft365(Microsoft365Source::File(written.file.clone())));
    loaded.map_err(|error| error.to_string().replace(&written.file.display().to_string(), "FILE"))
}

/// The catalogue of a service tag document.
fn load_tags(document: impl AsRef<[u8]>, tags: &[&str]) -> Result<Catalogue, String> {
    let written = written("tags.json", document);
    let config = Destinations {
        service_tags: Some(service_tags(written.file.clone(), tags)),
        ..microsoft365(Microsoft365Source::Off)
    };
    Catalogue::load(&config).map_err(|error| error.to_string().replace(&written.file.display().to_string(), "FILE"))
}

/// One service tag as in the document.
fn tag(name: &str, region: &str, service: &str, prefixes: &[&str]) -> serde_json::Value {
    serde_json::json!({
        "name": name, "id": name,
        "properties": { "region": region, "systemService": service, "addressPrefixes": prefixes }
    })
}

fn tag_document(tags: &[serde_json::Value]) -> String {
    serde_json::json!({ "changeNumber": 7, "cloud": "Public", "values": tags }).to_string()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn class_of(catalogue: &Catalogue, query: &str) -> Option<String> {
    catalogue.lookup(net(query))?.class.map(ToString::to_string)
}
