//! `[destinations]`.

use std::path::Path;

use ipnet::IpNet;

use super::once::once;
use crate::{
    config::{
        defaults,
        document::Placed,
        finding::Wrong,
        model::{Destinations, Microsoft365, Microsoft365Source, ServiceTags, StaticList},
        reader::{Item, Section},
        suggestion::did_you_mean,
        values::{OFF, flag, one_of, path, plain_name, prefix, text, unknown_word},
    },
    domain::Category,
};

/// Service areas of the bundled snapshot, as its destinations are named.
pub(in crate::config) const SERVICE_AREAS: [&str; 4] = ["common", "exchange", "sharepoint", "skype"];

pub(super) const CATEGORIES: [(&str, Category); 3] =
    [("optimize", Category::Optimize), ("allow", Category::Allow), ("default", Category::Default)];

const BUNDLED: &str = "bundled";

pub(super) fn read(mut section: Section<'_>, base: &Path) -> Destinations {
    let document = section.document();
    let microsoft365 = microsoft365(section.section("microsoft365"), base);
    let service_tags = section.optional_section("service_tags").and_then(|section| service_tags(section, base));
    let lists: Vec<List> = section.sections("static").into_iter().filter_map(static_list).collect();
    section.finish();
    once(document, lists.iter().map(|list| &list.name), "list", "give each list a name of its own");
    once(
        document,
        lists.iter().flat_map(|list| &list.prefixes).map(|(_, written)| written),
        "prefix",
        "list each prefix once",
    );
    Destinations { microsoft365, service_tags, static_lists: lists.into_iter().map(List::into_static).collect() }
}

fn microsoft365(mut section: Section<'_>, base: &Path) -> Microsoft365 {
    let source = section.setting("source", Microsoft365Source::Bundled, |item| source(item, base)).value;
    let services = section.take("services").map(|item| {
        item.elements_or_none(|item| match source {
            Microsoft365Source::File(_) => Ok(text(item)?.to_lowercase()),
            Microsoft365Source::Bundled | Microsoft365Source::Off => service_area(item),
        })
    });
    let none = "name at least one category; to steer no Microsoft 365 at all, set source = \"off\"";
    let categories = section.take("categories").map(|item| item.elements(none, one_of(&CATEGORIES)));
    section.finish();
    Microsoft365 {
        source,
        services: services.unwrap_or_default().into_iter().map(|service| service.value).collect(),
        categories: categories.map_or_else(
            || defaults::CATEGORIES.to_vec(),
            |categories| categories.into_iter().map(|category| category.value).collect(),
        ),
    }
}

fn source(item: &Item<'_>, base: &Path) -> Result<Microsoft365Source, Wrong> {
    let written = text(item)?;
    match written.as_str() {
        BUNDLED => Ok(Microsoft365Source::Bundled),
        OFF => Ok(Microsoft365Source::Off),
        // A misspelt word would be taken for a file that is not there.
        word if !word.contains(['/', '.']) && did_you_mean(word, [BUNDLED, OFF]).is_some() => {
            Err(unknown_word(word, [BUNDLED, OFF]))
        }
        file => Ok(Microsoft365Source::File(base.join(file))),
    }
}

/// A service area of the snapshot, in lower case.
pub(super) fn service_area(item: &Item<'_>) -> Result<String, Wrong> {
    let written = text(item)?.to_lowercase();
    if written == "teams" {
        return Err(Wrong::new("Microsoft's lists file Teams under Skype", "write \"skype\""));
    }
    if SERVICE_AREAS.contains(&written.as_str()) { Ok(written) } else { Err(unknown_word(&written, SERVICE_AREAS)) }
}

fn service_tags(mut section: Section<'_>, base: &Path) -> Option<ServiceTags> {
    let file = section.require("file", "\"ServiceTags_Public.json\"", path(base));
    let example = "[\"AzureCloud.japaneast\", \"Dynamics365BusinessCentral\"]";
    // A list without tags would steer nothing, silently.
    let tags = section.require_item("tags", example).map(|item| item.elements("name at least one tag", text));
    let by_region = section.setting("by_region", defaults::BY_REGION, flag).value;
    section.finish();
    Some(ServiceTags { file: file?.value, tags: tags?.into_iter().map(|tag| tag.value).collect(), by_region })
}

/// A list with the places of its parts.
struct List {
    name: Placed<String>,
    /// Each with its canonical text.
    prefixes: Vec<(IpNet, Placed<String>)>,
}

impl List {
    fn into_static(self) -> StaticList {
        let prefixes = self.prefixes.into_iter().map(|(prefix, _)| prefix).collect();
        StaticList { name: self.name.value, prefixes }
    }
}

fn static_list(mut section: Section<'_>) -> Option<List> {
    let name = section.require("name", "\"lab\"", plain_name);
    let prefixes = section
        .require_item("prefixes", "[\"13.107.6.152/31\"]")
        .map(|item| item.elements("list at least one prefix, or remove the table", prefix));
    section.finish();
    let prefixes = prefixes?.into_iter().map(|Placed { value, path, span }| {
        let written = Placed { value: value.to_string(), path, span };
        (value, written)
    });
    Some(List { name: name?, prefixes: prefixes.collect() })
}

/// Names under which destinations can be known, when the configuration alone says so; nothing when a file does.
pub(super) fn known_services(destinations: &Destinations) -> Option<Vec<&str>> {
    let by_file = destinations.service_tags.is_some()
        || matches!(destinations.microsoft365.source, Microsoft365Source::File(_));
    let own = destinations.static_lists.iter().map(|list| list.name.as_str());
    (!by_file).then(|| SERVICE_AREAS.into_iter().chain(own).collect())
}
