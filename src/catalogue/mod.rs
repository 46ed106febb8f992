//! Which prefixes are Microsoft's: sources read, checked and merged; longest match; the classes that are steered.
//!
//! May know the domain types and `config::Destinations`. Reads files, never the network or the kernel.
//!
//! | file | its one idea |
//! |---|---|
//! | `document` | opens a JSON file and hands on its pieces, bounded |
//! | `refusal` | what is refused, and how it is said |
//! | `microsoft365`, `service_tags` | from Microsoft's two documents to statements |
//! | `statement` | what an endpoint set, a tag or a static list says of its prefixes; all of that gathered |
//! | `merge`, `kind` | all statements to destinations; those of which the same is said, together |
//! | `memory` | what all of it takes |
//! | `rules`, `classes` | the rule of policy for each destination, and the classes that follow |
//! | `index` | longest match |
//! | `listing` | everything that is said of an address, for people |
//! | `targets`, `front_doors` | the addresses and the names that represent a class in measurements |
//!
//! A prefix that several sources list keeps all of them. Its attributes are those of the most trusted source, in the
//! order of [`crate::domain::Source`]; among Microsoft 365 endpoint sets those of the most demanding category, then of
//! the lowest id; among service tags those of the most specific one: a service in a region, then a region, then a
//! service everywhere. That does not depend on what is steered. A prefix is *steered* when any statement of it is
//! chosen by the owner, and its class follows from the first of these in the same order, but that service tags count
//! in the order in which the configuration names them.

mod classes;
mod document;
mod front_doors;
mod index;
mod kind;
mod listing;
mod memory;
mod merge;
mod microsoft365;
mod refusal;
mod rules;
mod service_tags;
mod statement;
mod targets;

#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde::Serialize;

use crate::{
    config::{Config, Destinations, Microsoft365Source},
    domain::{Category, Class, ClassId, Destination, Source},
};

pub use front_doors::front_doors;
use index::{Index, Row};
use kind::Kind;
pub use listing::Listing;
pub use refusal::CatalogueError;
pub use rules::{Rules, Tie};
use statement::{ClassKey, Facts, Gathered, Statement};

/// Everything known of Microsoft's address space.
///
/// With all service tags (50,625 prefixes) it takes 2 MB, and 18 bytes more for each prefix that is steered.
#[derive(Debug, Default)]
pub struct Catalogue {
    index: Index,
    /// By number.
    kinds: Vec<Kind>,
    /// Everything that the sources say, shared by the prefixes of one endpoint set or tag.
    statements: Vec<Statement>,
    /// What the owner steers.
    keys: Vec<ClassKey>,
    /// Sorted by id.
    classes: Vec<Class>,
    ties: Vec<Tie>,
    /// Of each class, in the order of `classes`.
    targets: Vec<Vec<IpAddr>>,
    sources: Vec<SourceSummary>,
}

/// What one source contributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceSummary {
    /// Kind of source.
    pub source: Source,
    /// Where it came from: a file, the name of a static list, or `bundled snapshot`.
    pub origin: String,
    /// Which one it is, as far as it says: the day of the bundled snapshot, or the change number of service tags.
    pub version: Option<String>,
    /// Distinct prefixes in it.
    pub prefixes: usize,
    /// How many of these it gives to a class.
    pub steered: usize,
}

impl fmt::Display for SourceSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, origin, prefixes, steered, .. } = self;
        write!(f, "{source}: {origin}")?;
        if let Some(version) = &self.version {
            write!(f, " ({version})")?;
        }
        write!(f, ", {prefixes} prefixes, {steered} steered")
    }
}

/// What the catalogue says of an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Match<'a> {
    /// Longest match among all sources.
    pub destination: Destination,
    /// Class that decides for it: that of the longest *steered* match, if any.
    pub class: Option<&'a ClassId>,
}

impl Catalogue {
    /// Reads all configured sources; what is steered is split into classes without rules of policy.
    ///
    /// # Errors
    /// When a source cannot be read, is not what it should be, or lists space that is not Microsoft's to have.
    pub fn load(config: &Destinations) -> Result<Self, CatalogueError> {
        Self::load_by(config, &Rules::default())
    }

    /// That of a configuration, with the classes of its rules.
    ///
    /// # Errors
    /// As [`Catalogue::load`].
    pub fn of(config: &Config) -> Result<Self, CatalogueError> {
        Self::load_by(&config.destinations, &Rules::of(config))
    }

    /// As [`Catalogue::load`], with classes by these rules.
    ///
    /// # Errors
    /// As [`Catalogue::load`].
    pub fn load_by(config: &Destinations, rules: &Rules) -> Result<Self, CatalogueError> {
        Self::load_beyond(config, rules, statement::MAX_ROWS)
    }

    /// As [`Catalogue::load_by`], with another bound of the prefixes of all sources than that of a router.
    ///
    /// # Errors
    /// As [`Catalogue::load`].
    pub fn load_beyond(config: &Destinations, rules: &Rules, most: usize) -> Result<Self, CatalogueError> {
        let mut gathered = Gathered::within(most);
        match &config.microsoft365.source {
            Microsoft365Source::Off => {}
            Microsoft365Source::Bundled => microsoft365::read_bundled(&config.microsoft365, &mut gathered)?,
            Microsoft365Source::File(file) => microsoft365::read(file, &config.microsoft365, &mut gathered)?,
        }
        if let Some(tags) = &config.service_tags {
            service_tags::read(tags, &mut gathered)?;
        }
        for (order, list) in (0..).zip(&config.static_lists) {
            gathered.add_static(list, order)?;
        }
        let mut catalogue = merge::merge(gathered);
        catalogue.classify(rules);
        Ok(catalogue)
    }

    /// Longest match of an address or prefix: the most specific destination that contains all of it.
    pub fn lookup(&self, query: IpNet) -> Option<Match<'_>> {
        let destination = self.destination(self.index.covering(query).next()?)?;
        Some(Match { destination, class: self.class_of(query).map(|class| &class.id) })
    }

    /// All destinations, sorted by prefix.
    pub fn destinations(&self) -> impl Iterator<Item = Destination> {
        self.index.rows().iter().filter_map(|row| self.destination(row))
    }

    /// The steered classes, sorted by id; each has at least one prefix.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Rules that describe some destination equally closely, each pair once.
    pub fn ties(&self) -> &[Tie] {
        &self.ties
    }

    /// The steered class of that id.
    pub fn class(&self, id: &ClassId) -> Option<&Class> {
        self.classes.get(self.position(id)?)
    }

    /// Addresses that represent a class in measurements, best first, at most four; never empty for a class of ours.
    pub fn targets(&self, class: &ClassId) -> &[IpAddr] {
        self.position(class).and_then(|position| self.targets.get(position)).map_or(&[], Vec::as_slice)
    }

    fn position(&self, id: &ClassId) -> Option<usize> {
        self.classes.binary_search_by(|known| known.id.cmp(id)).ok()
    }

    /// What each source contributed.
    pub fn sources(&self) -> &[SourceSummary] {
        &self.sources
    }

    /// The class that decides for an address, without what else is known of it.
    pub fn class_of_address(&self, address: IpAddr) -> Option<&ClassId> {
        self.class_of(address.into()).map(|class| &class.id)
    }

    /// The class that decides for all of `query`.
    fn class_of(&self, query: IpNet) -> Option<&Class> {
        let position = self.index.covering(query).find_map(|row| row.class)?;
        self.classes.get(position as usize)
    }

    /// The category of the longest match.
    fn category_of(&self, query: IpNet) -> Option<Category> {
        let row = self.index.covering(query).next()?;
        self.kinds.get(row.kind as usize)?.facts(&self.statements)?.category
    }

    fn destination(&self, row: &Row) -> Option<Destination> {
        let kind = self.kinds.get(row.kind as usize)?;
        let Facts { service, category, region, .. } = kind.facts(&self.statements)?.clone();
        Some(Destination { prefix: row.prefix, service, category, region, sources: kind.sources.to_vec() })
    }
}
