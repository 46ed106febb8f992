//! From text to [`Config`]: one file for each table of the TOML, with its keys, ranges and the checks among them.
//! Defaults stand in `defaults`; what only the whole can show is in `fulfilment` and `ties`.

mod control;
mod destinations;
mod fulfilment;
mod isps;
mod kernel;
mod market;
mod once;
mod policy;
mod probe;
mod recording;
mod report;
mod site;
mod ties;

#[cfg(test)]
pub(super) use destinations::SERVICE_AREAS;

use std::{
    path::{Path, absolute},
    sync::Arc,
};

use super::{document::Document, finding::ConfigError, model::Config};
use policy::Surroundings;

/// Validates a text.
pub(super) fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
    let document = Document::new(file, text);
    match read(&document) {
        Some(config) if document.is_clean() => Ok(config),
        _ => Err(document.into_error()),
    }
}

/// Reads all tables; nothing when a finding leaves a gap that no default fills.
pub(super) fn read(document: &Document<'_>) -> Option<Config> {
    let mut root = document.root()?;
    let folder = document.file.parent().unwrap_or(Path::new(""));
    // What is printed as effective must mean the same wherever it is put.
    let base = absolute(folder.join(".")).unwrap_or_else(|_| folder.to_owned());

    let registry = market::read(&mut root);
    let site = site::read(root.section("site"), &registry);
    let ring = isps::read(&mut root, &registry);
    let destinations = destinations::read(root.section("destinations"), &base);
    let around = Surroundings { names: &ring.names, destinations: &destinations, registry: &registry };
    let policy = policy::read(root.section("policy"), around);
    let probe = probe::read(root.section("probe"), &destinations, &base);
    let report = root.optional_section("report").map(|section| report::read(section, &base));
    let recording = root.optional_section("recording").map(|section| recording::read(section, &base));
    let kernel = kernel::read(root.section("kernel"));
    let control = control::read(root.section("control"));
    root.finish();

    if let (Some(site), Some(policy)) = (&site, &policy) {
        let question = fulfilment::Question { site, isps: &ring.isps, registry: &registry };
        fulfilment::check(document, question, policy);
    }
    // What was not understood would look as if it were not there.
    if let Some(policy) = policy.as_ref().filter(|_| document.is_clean()) {
        ties::check(document, &policy.rules, &policy.policy.value.rules, &registry);
    }
    let report = match report {
        Some(report) => Some(report?),
        None => None,
    };
    let recording = match recording {
        Some(recording) => Some(recording?),
        None => None,
    };
    Some(Config {
        site: site?,
        registry: Arc::new(registry),
        isps: ring.isps,
        uplinks: ring.uplinks,
        policy: policy?.policy.value,
        destinations,
        probe,
        report,
        recording,
        kernel,
        control,
    })
}
