//! Which prefixes are Microsoft's: sources read, checked and merged; longest match; the classes that are steered.
//!
//! May know the domain types and `config::Destinations`. Reads files, never the network or the kernel.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    config::Destinations,
    domain::{Class, ClassId, Destination},
};

/// Why a source was refused: file, what, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct CatalogueError {}

/// Everything known of Microsoft's address space.
#[derive(Debug, Default)]
pub struct Catalogue {}

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
    pub fn load(_config: &Destinations) -> Result<Self, CatalogueError> {
        todo!()
    }

    /// Longest match of an address or prefix: the most specific destination that contains all of it.
    pub fn lookup(&self, _query: IpNet) -> Option<Match<'_>> {
        todo!()
    }

    /// The steered classes, sorted by id; each has at least one prefix.
    pub fn classes(&self) -> &[Class] {
        todo!()
    }

    /// Addresses that represent a class in measurements, best first, at most four; never empty for a class of ours.
    pub fn targets(&self, _class: &ClassId) -> &[IpAddr] {
        todo!()
    }
}
