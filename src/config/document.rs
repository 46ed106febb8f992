//! The TOML document, and what was found wrong in it so far.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ops::Range,
    path::Path,
};

use toml::de::DeTable;

use super::{
    finding::{ConfigError, Finding, Wrong},
    reader::Section,
};

/// Most findings that are kept: nobody reads more, and a hostile file must not fill the memory.
const MOST: usize = 100;

/// The document and what was found wrong so far.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub file: &'t Path,
    text: &'t str,
    findings: RefCell<Vec<Finding>>,
    omitted: Cell<usize>,
    /// Every key that was asked for, list positions left out: what the reference must explain.
    #[cfg(test)]
    pub asked: RefCell<BTreeSet<String>>,
}

/// A value read from the file, that still knows where it stood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed<T> {
    pub value: T,
    /// Its key with path.
    pub path: String,
    /// None for a default.
    pub span: Option<Range<usize>>,
}

impl<'t> Document<'t> {
    pub fn new(file: &'t Path, text: &'t str) -> Self {
        Self {
            file,
            text,
            findings: RefCell::default(),
            omitted: Cell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    /// The document's top level; nothing when it is not TOML. Then every line that breaks the syntax is a finding,
    /// and nothing else is judged, because half a document misleads.
    pub fn root(&self) -> Option<Section<'_>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if errors.is_empty() {
            return Some(Section::root(self, table.into_inner()));
        }
        let mut lines = BTreeSet::new();
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            // One broken line makes the parser stumble several times.
            if lines.insert(self.line(&span)) {
                let said = error.message().lines().next().unwrap_or_default();
                let fix = match said {
                    "duplicate key" => "write it once; tables of a list have two brackets each: [[isp]]",
                    _ => "see https://toml.io for the syntax",
                };
                self.report(Some(&span), String::new(), Wrong::new(format!("not valid TOML: {said}"), fix));
            }
        }
        None
    }

    /// Adds a finding; without a span it is about something that is missing.
    pub fn report(&self, span: Option<&Range<usize>>, key: String, wrong: Wrong) {
        let mut findings = self.findings.borrow_mut();
        if findings.len() < MOST {
            findings.push(wrong.at(self.file, self.text, span, key));
        } else {
            self.omitted.set(self.omitted.get() + 1);
        }
    }

    /// The line at which something starts, from 1.
    pub fn line(&self, span: &Range<usize>) -> usize {
        self.text.get(..span.start).map_or(0, |before| before.matches('\n').count()) + 1
    }

    pub fn into_error(self) -> ConfigError {
        ConfigError::new(self.findings.into_inner(), self.omitted.get())
    }

    pub fn is_clean(&self) -> bool {
        self.findings.borrow().is_empty()
    }
}

impl<T> Placed<T> {
    /// Where it stands, without itself.
    pub fn place(&self) -> Placed<()> {
        Placed { value: (), path: self.path.clone(), span: self.span.clone() }
    }

    /// A finding about it.
    pub fn report(&self, document: &Document<'_>, wrong: Wrong) {
        document.report(self.span.as_ref(), self.path.clone(), wrong);
    }
}
