//! `[[market]]`: markets and Azure regions beyond those that are bundled.

use std::collections::BTreeMap;

use crate::{
    config::{
        document::{Document, Placed},
        finding::Wrong,
        reader::{Item, Section},
        suggestion::quoted,
        tables::{once::once, site::known_market},
        values::{name, text},
    },
    partners::{Contradiction, Registry},
};

const MOST: usize = 256;

/// More than four times as many as Azure has.
const MOST_REGIONS: usize = 256;

/// One table, its words not yet looked up.
struct Table {
    name: Placed<String>,
    within: Option<Placed<String>>,
    contains: Vec<Placed<String>>,
    regions: Vec<Placed<String>>,
}

/// One market, or region, inside another one, placed where that is said.
type Edge = (String, String, Placed<()>);

/// The bundled registry with all that the tables add, in whatever order they stand.
pub(super) fn read(root: &mut Section<'_>) -> Registry {
    let document = root.document();
    let mut registry = Registry::bundled().clone();
    let sections = root.sections("market");
    if let Some(section) = sections.get(MOST) {
        section.report_itself(Wrong::new(format!("there are more than {MOST} markets"), "remove some"));
    }
    let tables: Vec<Table> = sections.into_iter().take(MOST).filter_map(table).collect();
    let names: Vec<Placed<String>> = tables.iter().map(|table| folded(&table.name)).collect();
    once(document, &names, "market", "join the two tables");
    for table in &tables {
        registry.add_market(&table.name.value);
    }
    put_markets(document, &mut registry, &tables);
    put_regions(document, &mut registry, &tables);
    registry
}

fn table(mut section: Section<'_>) -> Option<Table> {
    let name = section.require("name", "\"Benelux\"", name);
    let within = section.read_placed("within", text);
    let contains = section.take("contains").map(|item| item.elements_or_none(text));
    let regions = section.take("azure_regions").map(|item| item.elements_or_none(region_name));
    section.finish();
    let (contains, regions) = (contains.unwrap_or_default(), regions.unwrap_or_default());
    Some(Table { name: name?, within, contains, regions })
}

/// Two spellings of one market are one market.
fn folded(name: &Placed<String>) -> Placed<String> {
    let known = Registry::bundled().market(&name.value).unwrap_or(&name.value);
    Placed { value: known.to_lowercase(), path: name.path.clone(), span: name.span.clone() }
}

fn region_name(item: &Item<'_>) -> Result<String, Wrong> {
    let written = name(item)?.to_lowercase();
    if written.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit()) {
        Ok(written)
    } else {
        let problem = format!("{} is no short name of an Azure region", quoted(&written));
        Err(Wrong::new(problem, "write it as service tags do, such as \"japaneast\""))
    }
}

fn put_markets(document: &Document<'_>, registry: &mut Registry, tables: &[Table]) {
    let mut edges: Vec<Edge> = Vec::new();
    for table in tables {
        let outwards = table.within.iter().map(|outer| (&table.name, outer, outer));
        let inwards = table.contains.iter().map(|inner| (inner, &table.name, inner));
        for (inner, outer, place) in outwards.chain(inwards) {
            let report = |wrong| place.report(document, wrong);
            let known = |name: &Placed<String>| known_market(&name.value, registry).map_err(report);
            if let (Ok(inner), Ok(outer)) = (known(inner), known(outer)) {
                edges.push((inner, outer, place.place()));
            }
        }
    }
    let put = |inner: &str, outer: &str| registry.put_within(inner, outer);
    let edges = put_all(document, edges, put);
    for (market, outer, place) in edges {
        if let Err(Contradiction::Elsewhere(already)) = registry.agrees_on_market(Registry::bundled(), &market) {
            place.report(document, in_two(registry, &market, &already, &outer));
        }
    }
}

fn put_regions(document: &Document<'_>, registry: &mut Registry, tables: &[Table]) {
    let mut edges: Vec<Edge> = Vec::new();
    for table in tables {
        for region in &table.regions {
            if edges.len() == MOST_REGIONS {
                let problem = format!("there are more than {MOST_REGIONS} Azure regions in all");
                return region.report(document, Wrong::new(problem, "remove some"));
            }
            let spelt = registry.region(&region.value).unwrap_or(&region.value).to_owned();
            let market = registry.market(&table.name.value).unwrap_or_default().to_owned();
            edges.push((spelt, market, region.place()));
        }
    }
    let put = |region: &str, market: &str| {
        registry.put_region(region, market);
        Ok(())
    };
    for (region, market, place) in put_all(document, edges, put) {
        if let Err(Contradiction::Elsewhere(already)) = registry.agrees_on_region(Registry::bundled(), &region) {
            place.report(document, in_two(registry, &region, &already, &market));
        }
    }
}

/// Puts each into its market, once, and returns those for which that could be done.
fn put_all(
    document: &Document<'_>,
    edges: Vec<Edge>,
    mut put: impl FnMut(&str, &str) -> Result<(), Contradiction>,
) -> Vec<Edge> {
    let mut done: BTreeMap<String, (String, Placed<()>)> = BTreeMap::new();
    for (inner, outer, place) in edges {
        match done.get(&inner) {
            Some((first, at)) if *first != outer => {
                let problem = format!("{inner} is within {first} by {} already", at.path);
                place.report(document, Wrong::new(problem, "leave it in one market, the narrowest"));
            }
            Some(_) => {}
            None if put(&inner, &outer).is_err() => {
                let problem = format!("{outer} would be within itself by way of {inner}");
                place.report(document, Wrong::new(problem, "let the wider market contain the narrower one only"));
            }
            None => {
                done.insert(inner, (outer, place));
            }
        }
    }
    done.into_iter().map(|(inner, (outer, place))| (inner, outer, place)).collect()
}

/// What is wrong with something that is within `already`, and is said to be within `outer`.
fn in_two(registry: &Registry, inner: &str, already: &str, outer: &str) -> Wrong {
    if registry.contains(outer, already) {
        return Wrong::new(format!("{inner} is within {outer} already, by way of {already}"), "remove it");
    }
    Wrong::new(
        format!("{inner} is within {already}, which {outer} is not"),
        format!("put {} into {} too: within = {}", quoted(outer), quoted(already), quoted(already)),
    )
}
