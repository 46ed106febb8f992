//! What a rule is for: the keys of a `[[policy.rule]]` that say which destinations, and which sites.

use crate::{
    config::{
        document::Placed,
        finding::Wrong,
        model::{Destinations, Match, Microsoft365Source, RegionMatch},
        reader::{Item, Section},
        suggestion::{did_you_mean, quoted, suggest},
        tables::{
            destinations::{CATEGORIES, known_services, service_area},
            site::market,
        },
        values::{one_of, prefix, text},
    },
    partners::Registry,
};

/// Most values of one key.
const MOST: usize = 256;

const NONE: &str = "name at least one, or leave the key out";

/// Reads the six keys; at least one of them must be there.
pub(super) fn read(section: &mut Section<'_>, destinations: &Destinations, registry: &Registry) -> Match {
    let matches = Match {
        services: values(section, "service", |item| service(item, destinations)),
        categories: values(section, "category", one_of(&CATEGORIES)),
        regions: values(section, "region", |item| region(item, registry)),
        tags: values(section, "tag", |item| Ok(text(item)?.to_lowercase())),
        prefixes: values(section, "prefix", prefix),
        markets: values(section, "market", |item| market(item, registry)),
    };
    let keys = ["service", "category", "region", "tag", "prefix", "market"];
    if !keys.iter().any(|key| section.has_had(key)) {
        section.report_itself(Wrong::new(
            "the rule does not say what it is for",
            format!("add at least one of {}; what is for everything stands in [policy]", keys.join(", ")),
        ));
    }
    check_tags(section, &matches, destinations);
    matches
}

/// Tags and regions of prefixes are known from service tags alone.
fn check_tags(section: &Section<'_>, matches: &Match, destinations: &Destinations) {
    if destinations.service_tags.is_some() {
        return;
    }
    for (key, named) in [("tag", !matches.tags.is_empty()), ("region", !matches.regions.is_empty())] {
        if named {
            let problem = "fits nothing, because no service tags are read";
            section.report(key, Wrong::new(problem, "add [destinations.service_tags] with a file and tags"));
        }
    }
}

/// A string or a list of them, each once.
fn values<T: PartialEq>(
    section: &mut Section<'_>,
    key: &'static str,
    read: impl Fn(&Item<'_>) -> Result<T, Wrong>,
) -> Vec<T> {
    let Some(item) = section.take(key) else { return Vec::new() };
    let document = item.document;
    let mut values = Vec::new();
    for Placed { value, path, span } in item.elements(NONE, read) {
        let place = Placed { value: (), path, span };
        if values.len() == MOST {
            place.report(document, Wrong::new(format!("there are more than {MOST} values"), "make two rules of it"));
            break;
        }
        if values.contains(&value) {
            place.report(document, Wrong::new("stands in the list already", "name each one once"));
        } else {
            values.push(value);
        }
    }
    values
}

/// A service in lower case. When a file says what there is, any may be.
fn service(item: &Item<'_>, destinations: &Destinations) -> Result<String, Wrong> {
    let written = text(item)?.to_lowercase();
    let known = known_services(destinations);
    let is_known = known.as_ref().is_none_or(|known| known.contains(&written.as_str()));
    if written == "teams" && lacks_teams(destinations) {
        return service_area(item);
    }
    if is_known {
        return Ok(written);
    }
    let fix = suggest(&written, known.iter().flatten().copied());
    Err(Wrong::new(format!("there is no service {}", quoted(&written)), fix))
}

/// Whether nothing but Microsoft's own lists could name Teams, which they call by another name.
fn lacks_teams(destinations: &Destinations) -> bool {
    let by_file = matches!(destinations.microsoft365.source, Microsoft365Source::File(_));
    !by_file && destinations.static_lists.iter().all(|list| list.name != "teams")
}

/// An Azure region, or a market that has regions.
fn region(item: &Item<'_>, registry: &Registry) -> Result<RegionMatch, Wrong> {
    let written = text(item)?;
    if let Some(region) = registry.region(&written) {
        return Ok(RegionMatch::Region(region.to_owned()));
    }
    let Some(market) = registry.market(&written) else {
        let problem = format!("{} is no Azure region and no market", quoted(&written));
        let known = registry.regions().chain(registry.market_names());
        let fix = match did_you_mean(&written, known) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => "use a region's short name, such as \"japaneast\", or a market; a new region is added by \
                     azure_regions of a [[market]]"
                .to_owned(),
        };
        return Err(Wrong::new(problem, fix));
    };
    if registry.regions_in(market).next().is_none() {
        let problem = format!("there is no Azure region in {market}");
        return Err(Wrong::new(problem, "name a market that has one; for sites in a market use the key market"));
    }
    Ok(RegionMatch::Market(market.to_owned()))
}
