//! What a source says of prefixes, and where all of it is gathered.

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;

use super::{SourceSummary, refusal::CatalogueError};
use crate::{
    config::StaticList,
    domain::{Category, Source},
};

/// Bound of the rows of all sources together; Microsoft's two documents have 90,500.
pub(super) const MAX_ROWS: usize = 500_000;

/// Bound of the endpoint sets, tags and lists together; Microsoft's two documents have 3,000.
const MAX_STATEMENTS: usize = 50_000;

/// What one endpoint set, service tag or static list says of all its prefixes.
#[derive(Debug)]
pub(super) struct Statement {
    pub facts: Facts,
    /// Position in [`Gathered::sources`].
    pub listing: usize,
    /// Order among statements of one source and category; lower is more to the point.
    pub rank: u32,
    /// Its name in the source: the last word when all else is equal.
    pub name: Box<str>,
    /// The class of its prefixes, if the owner steers them.
    pub steering: Option<Steering>,
}

/// What is known of a prefix.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub source: Source,
    pub service: Arc<str>,
    pub category: Option<Category>,
    pub region: Option<Arc<str>>,
}

/// The owner's choice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steering {
    /// Order among choices of one source and category; the first counts.
    pub order: u32,
    /// Position in [`Gathered::classes`].
    pub class: usize,
}

/// What the owner chose as one thing: a service of Microsoft 365, a service tag, a list. Rules split it further.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClassKey {
    /// Start of the names of its classes: `m365.exchange`, `azure.azurecloud.japaneast`, `static.lab`.
    pub stem: String,
    pub service: Arc<str>,
    pub region: Option<Arc<str>>,
    /// The service tag, in lower case.
    pub tag: Option<String>,
    /// Each Azure region is a class of its own.
    pub by_region: bool,
}

impl Statement {
    /// Order of trust in what is said of a prefix, most trusted first. It does not depend on what the owner steers.
    pub fn trust(&self) -> impl Ord + use<'_> {
        (self.facts.source, self.facts.category, self.rank, &self.name)
    }

    /// The service tag that it is.
    pub fn tag(&self) -> Option<&str> {
        (self.facts.source == Source::ServiceTags).then_some(&*self.name)
    }

    /// Order in which a prefix is given to a class, if the statement is chosen at all.
    pub fn claim(&self) -> Option<impl Ord + use<>> {
        self.steering.map(|steering| (self.facts.source, self.facts.category, steering.order))
    }
}

/// One prefix in one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub prefix: IpNet,
    /// Position in [`Gathered::statements`].
    pub statement: u32,
}

/// Everything that all sources say.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub statements: Vec<Statement>,
    pub rows: Vec<Row>,
    pub classes: Vec<ClassKey>,
    pub sources: Vec<SourceSummary>,
    /// Bound of the rows.
    most: usize,
    /// How many rows there were before the source begun last.
    rows_before: usize,
    words: BTreeSet<Arc<str>>,
}

impl Gathered {
    /// Nothing yet, and no more rows than that.
    pub fn within(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// What follows is of this source.
    pub fn begin(&mut self, source: Source, origin: &str) {
        self.rows_before = self.rows.len();
        self.sources.push(SourceSummary {
            source,
            origin: origin.to_owned(),
            version: None,
            prefixes: 0,
            steered: 0,
        });
    }

    /// Position of the source begun last.
    pub fn listing(&self) -> usize {
        self.sources.len().saturating_sub(1)
    }

    /// The version of the source begun last, in the source's own words.
    pub fn set_version(&mut self, version: String) {
        if let Some(source) = self.sources.last_mut() {
            source.version = Some(version);
        }
    }

    /// Refuses a source that said nothing.
    pub fn end(&self, origin: &str) -> Result<(), CatalogueError> {
        if self.rows.len() == self.rows_before {
            return Err(CatalogueError::new(origin, "lists no prefix", "download it again from Microsoft"));
        }
        Ok(())
    }

    /// Takes a statement with its prefixes.
    pub fn add(&mut self, origin: &str, statement: Statement, prefixes: &[IpNet]) -> Result<(), CatalogueError> {
        let position = u32::try_from(self.statements.len()).ok().filter(|_| self.statements.len() < MAX_STATEMENTS);
        let Some(position) = position.filter(|_| self.rows.len() + prefixes.len() <= self.most) else {
            return Err(CatalogueError::unsound(origin, "lists far more than Microsoft ever did"));
        };
        self.statements.push(statement);
        self.rows.extend(prefixes.iter().map(|prefix| Row { prefix: *prefix, statement: position }));
        Ok(())
    }

    /// The position of a class.
    pub fn class(&mut self, key: ClassKey) -> usize {
        self.classes.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.classes.push(key);
            self.classes.len() - 1
        })
    }

    /// One copy of a word that thousands of statements share, in lower case.
    pub fn word(&mut self, written: &str) -> Arc<str> {
        let word = written.to_lowercase();
        if let Some(known) = self.words.get(word.as_str()) {
            return Arc::clone(known);
        }
        let word: Arc<str> = word.into();
        self.words.insert(Arc::clone(&word));
        word
    }

    /// Takes a static list. All of it is steered: that is what it is for.
    pub fn add_static(&mut self, list: &StaticList, order: u32) -> Result<(), CatalogueError> {
        self.begin(Source::Static, &list.name);
        let service: Arc<str> = list.name.as_str().into();
        let class = self.class(ClassKey {
            stem: format!("static.{}", list.name),
            service: Arc::clone(&service),
            region: None,
            tag: None,
            by_region: false,
        });
        let statement = Statement {
            facts: Facts { source: Source::Static, service, category: None, region: None },
            listing: self.listing(),
            rank: order,
            name: list.name.as_str().into(),
            steering: Some(Steering { order, class }),
        };
        self.add(&list.name, statement, &list.prefixes)
    }
}
