//! Everything that the sources say of an address, for people who ask.

use ipnet::IpNet;

use super::{Catalogue, statement::Statement};
use crate::domain::{Category, Source};

/// What one endpoint set, service tag or static list says of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<'a> {
    /// The prefix, as it is listed.
    pub prefix: IpNet,
    /// Kind of source.
    pub source: Source,
    /// Where it came from: a file, the name of a static list, or `bundled snapshot`.
    pub origin: &'a str,
    /// Which one it is, as far as it says.
    pub version: Option<&'a str>,
    /// Name of the tag or list; `endpoint set 1`.
    pub name: String,
    /// Service.
    pub service: &'a str,
    /// Category, for Microsoft 365.
    pub category: Option<Category>,
    /// Azure region.
    pub region: Option<&'a str>,
    /// Whether the owner chose it.
    pub chosen: bool,
}

impl Catalogue {
    /// Everything that is said of prefixes that contain all of `query`: the most specific prefix first, and of one
    /// prefix the most trusted statement.
    pub fn listings(&self, query: IpNet) -> impl Iterator<Item = Listing<'_>> {
        self.index.covering(query).flat_map(|row| {
            let positions = self.kinds.get(row.kind as usize).map_or(&[][..], |kind| &kind.statements);
            let mut said: Vec<_> =
                positions.iter().filter_map(|position| self.statements.get(*position as usize)).collect();
            said.sort_by(|one, other| one.trust().cmp(&other.trust()));
            said.into_iter().map(|statement| {
                let listing = self.sources.get(statement.listing);
                Listing {
                    prefix: row.prefix,
                    source: statement.facts.source,
                    origin: listing.map_or("", |source| &source.origin),
                    version: listing.and_then(|source| source.version.as_deref()),
                    name: name(statement),
                    service: &statement.facts.service,
                    category: statement.facts.category,
                    region: statement.facts.region.as_deref(),
                    chosen: statement.steering.is_some(),
                }
            })
        })
    }
}

/// Endpoint sets have numbers only, and go by these.
fn name(statement: &Statement) -> String {
    match statement.facts.source {
        Source::Microsoft365 => format!("endpoint set {}", statement.rank),
        Source::Static | Source::ServiceTags => statement.name.to_string(),
    }
}
