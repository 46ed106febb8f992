//! Which prefixes are Microsoft's: sources read, checked and merged; longest match; the classes that are steered.
//!
//! May know the domain types and `config::Destinations`. Reads files, never the network or the kernel.
//!
//! | file | its one idea |
//! |---|---|
//! | `record` | one line of a source: a prefix, what is said of it, and whether the owner steers it |
//! | `microsoft365`, `service_tags` | from Microsoft's two documents to records |
//! | `source` | opens a file, bounded; what is refused and how it is said |
//! | `merge` | all records to destinations and classes |
//! | `targets` | the addresses that represent a class in measurements |
//!
//! A prefix that several sources list keeps all that they say; attributes are those of the most trusted source, in the
//! order of [`crate::domain::Source`]. A destination is *steered* when any record of it is chosen by the owner.

mod merge;
mod microsoft365;
mod record;
mod service_tags;
mod source;
mod targets;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use crate::{
    config::{Destinations, Microsoft365Source},
    domain::{Class, ClassId, Destination, Source},
};

use record::Record;
pub use source::CatalogueError;

/// Everything known of Microsoft's address space.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// Sorted by prefix, which are distinct.
    destinations: Vec<Destination>,
    /// Position of the class that steers each destination.
    steered_by: Vec<Option<usize>>,
    /// Prefix lengths that occur, longest first: for IPv4 and IPv6.
    lengths: [Vec<u8>; 2],
    /// Sorted by id.
    classes: Vec<Class>,
    targets: BTreeMap<ClassId, Vec<IpAddr>>,
    sources: Vec<SourceSummary>,
}

/// What one source contributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSummary {
    /// Kind of source.
    pub source: Source,
    /// Where it came from: a file, a list, or `bundled snapshot of DATE`.
    pub origin: String,
    /// Distinct prefixes in it.
    pub prefixes: usize,
}

/// What the catalogue says of an address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match<'a> {
    /// Longest match among all sources.
    pub destination: &'a Destination,
    /// Class that decides for it: that of the longest *steered* match, if any.
    pub class: Option<&'a ClassId>,
}

impl Catalogue {
    /// Reads all configured sources.
    ///
    /// # Errors
    /// When a source cannot be read, is not what it should be, or lists space that is not Microsoft's to have.
    pub fn load(config: &Destinations) -> Result<Self, CatalogueError> {
        let mut records = Vec::new();
        let mut sources = Vec::new();
        let mut add = |source: Source, origin: String, found: Vec<Record>| {
            let mut prefixes: Vec<IpNet> = found.iter().map(|record| record.prefix).collect();
            prefixes.sort_unstable();
            prefixes.dedup();
            sources.push(SourceSummary { source, origin, prefixes: prefixes.len() });
            records.extend(found);
        };
        match &config.microsoft365.source {
            Microsoft365Source::Off => {}
            Microsoft365Source::Bundled => {
                let origin = format!("bundled snapshot of {}", microsoft365::BUNDLED_DATE);
                add(Source::Microsoft365, origin, microsoft365::bundled(&config.microsoft365)?);
            }
            Microsoft365Source::File(file) => {
                let found = microsoft365::read(file, &config.microsoft365)?;
                add(Source::Microsoft365, file.display().to_string(), found);
            }
        }
        if let Some(tags) = &config.service_tags {
            add(Source::ServiceTags, tags.file.display().to_string(), service_tags::read(tags)?);
        }
        for list in &config.static_lists {
            add(Source::Static, list.name.clone(), record::of_static_list(list));
        }
        let mut catalogue = merge::merge(records);
        catalogue.sources = sources;
        Ok(catalogue)
    }

    /// Longest match of an address or prefix: the most specific destination that contains all of it.
    pub fn lookup(&self, query: IpNet) -> Option<Match<'_>> {
        let mut covering = self.covering(query);
        let (destination, steered_by) = covering.next()?;
        let class = steered_by.or_else(|| covering.find_map(|(_, steered_by)| steered_by));
        let class = class.and_then(|position| self.classes.get(position)).map(|class| &class.id);
        Some(Match { destination, class })
    }

    /// The steered classes, sorted by id; each has at least one prefix.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Addresses that represent a class in measurements, best first, at most four; never empty for a class of ours.
    pub fn targets(&self, class: &ClassId) -> &[IpAddr] {
        self.targets.get(class).map_or(&[], Vec::as_slice)
    }

    /// What each source contributed.
    pub fn sources(&self) -> &[SourceSummary] {
        &self.sources
    }

    /// Destinations that contain all of `query`, most specific first: one binary search a prefix length that occurs.
    fn covering(&self, query: IpNet) -> impl Iterator<Item = (&Destination, Option<usize>)> {
        let [ipv4, ipv6] = &self.lengths;
        let lengths = if query.addr().is_ipv4() { ipv4 } else { ipv6 };
        lengths.iter().filter(move |length| **length <= query.prefix_len()).filter_map(move |length| {
            let prefix = IpNet::new(query.addr(), *length).ok()?.trunc();
            let position = self.destinations.binary_search_by(|known| known.prefix.cmp(&prefix)).ok()?;
            Some((self.destinations.get(position)?, self.steered_by.get(position).copied().flatten()))
        })
    }
}
