//! Reads a TOML document by asking for keys: every answer has its place in the file, every key that nobody asked for is
//! a finding, and reading goes on after a finding, so that all of them are told at once.

use std::{cell::RefCell, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::finding::{Finding, Wrong, did_you_mean};

/// The document and what was found wrong so far.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub file: &'t Path,
    pub text: &'t str,
    findings: RefCell<Vec<Finding>>,
}

impl<'t> Document<'t> {
    pub fn new(file: &'t Path, text: &'t str) -> Self {
        Self { file, text, findings: RefCell::default() }
    }

    /// The document's top level; nothing when it is not TOML.
    pub fn root(&self) -> Option<Section<'_>> {
        match DeTable::parse(self.text) {
            Ok(table) => {
                let span = table.span();
                Some(Section { document: self, path: String::new(), span, table: table.into_inner(), asked: vec![] })
            }
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let wrong = Wrong::new(
                    format!("not valid TOML: {}", error.message().lines().next().unwrap_or_default()),
                    "see https://toml.io for the syntax",
                );
                self.report(&span, String::new(), wrong);
                None
            }
        }
    }

    pub fn report(&self, span: &Range<usize>, key: String, wrong: Wrong) {
        self.findings.borrow_mut().push(wrong.at(self.file, self.text, span, key));
    }

    pub fn into_findings(self) -> Vec<Finding> {
        self.findings.into_inner()
    }

    pub fn is_clean(&self) -> bool {
        self.findings.borrow().is_empty()
    }
}

/// One table of the document.
#[derive(Debug)]
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    path: String,
    span: Range<usize>,
    table: DeTable<'d>,
    asked: Vec<String>,
}

/// One value of the document, with its place.
#[derive(Debug)]
pub(super) struct Item<'d> {
    document: &'d Document<'d>,
    pub path: String,
    pub span: Range<usize>,
    pub value: DeValue<'d>,
}

/// A value read from the file, that still knows where it stood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed<T> {
    pub value: T,
    pub path: String,
    pub span: Range<usize>,
}

impl<'d> Section<'d> {
    /// The value of a key, if it is there.
    pub fn take(&mut self, key: &str) -> Option<Item<'d>> {
        self.asked.push(key.to_owned());
        let value = self.table.remove(key)?;
        Some(Item {
            document: self.document,
            path: join(&self.path, key),
            span: value.span(),
            value: value.into_inner(),
        })
    }

    /// Reads the value of a key; a problem becomes a finding.
    pub fn read<T>(&mut self, key: &str, read: impl FnOnce(&Item<'d>) -> Result<T, Wrong>) -> Option<T> {
        self.take(key)?.read(read)
    }

    /// As [`Section::read`], with the place of the value.
    pub fn read_placed<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Item<'d>) -> Result<T, Wrong>,
    ) -> Option<Placed<T>> {
        let item = self.take(key)?;
        let value = item.read(read)?;
        Some(Placed { value, path: item.path, span: item.span })
    }

    /// As [`Section::read`], but the key must be there.
    pub fn require<T>(
        &mut self,
        key: &str,
        example: &str,
        read: impl FnOnce(&Item<'d>) -> Result<T, Wrong>,
    ) -> Option<Placed<T>> {
        if !self.table.contains_key(key) {
            self.asked.push(key.to_owned());
            let wrong =
                Wrong::new(format!("the key \"{key}\" is missing"), format!("add for example: {key} = {example}"));
            self.report(join(&self.path, key), wrong);
        }
        self.read_placed(key, read)
    }

    /// The table of a key; one that is missing reads as an empty one.
    pub fn section(&mut self, key: &str) -> Section<'d> {
        self.optional_section(key).unwrap_or_else(|| self.empty(key))
    }

    /// The table of a key, if it is there.
    pub fn optional_section(&mut self, key: &str) -> Option<Section<'d>> {
        self.take(key)?.into_section()
    }

    /// The tables of a key written as `[[key]]`.
    pub fn sections(&mut self, key: &str) -> Vec<Section<'d>> {
        let Some(item) = self.take(key) else { return Vec::new() };
        match item.value {
            DeValue::Array(array) => array
                .into_iter()
                .enumerate()
                .filter_map(|(position, value)| {
                    let path = format!("{}[{position}]", item.path);
                    Item { document: item.document, path, span: value.span(), value: value.into_inner() }
                        .into_section()
                })
                .collect(),
            _ => {
                let wrong = Wrong::new(
                    "must be a list of tables".to_owned(),
                    format!("write the header with two brackets: [[{key}]]"),
                );
                item.document.report(&item.span, item.path, wrong);
                Vec::new()
            }
        }
    }

    /// Every key of the table with its value, for tables whose keys are names of the user's choice.
    pub fn entries(self) -> Vec<(String, Item<'d>)> {
        let (document, path) = (self.document, self.path);
        let mut entries: Vec<_> = self
            .table
            .into_iter()
            .map(|(key, value): (Spanned<_>, Spanned<_>)| {
                let key = key.into_inner().into_owned();
                let path = join(&path, &quoted(&key));
                (key, Item { document, path, span: value.span(), value: value.into_inner() })
            })
            .collect();
        entries.sort_by_key(|(_, item)| item.span.start);
        entries
    }

    /// A finding about the table itself, or about a key that is missing in it.
    pub fn report(&self, key: String, wrong: Wrong) {
        self.document.report(&self.span, key, wrong);
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// Every key that nobody asked for is a finding.
    pub fn finish(self) {
        for key in self.table.keys() {
            let name = key.get_ref();
            let fix = match did_you_mean(name, self.asked.iter().map(String::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => {
                    let place = if self.path.is_empty() { "here".to_owned() } else { format!("in [{}]", self.path) };
                    format!("remove it; {place} these are known: {}", self.asked.join(", "))
                }
            };
            self.document.report(&key.span(), join(&self.path, name), Wrong::new("unknown key", fix));
        }
    }

    fn empty(&self, key: &str) -> Section<'d> {
        Section {
            document: self.document,
            path: join(&self.path, key),
            span: self.span.clone(),
            table: DeTable::new(),
            asked: vec![],
        }
    }
}

impl<'d> Item<'d> {
    /// Reads it; a problem becomes a finding.
    pub fn read<T>(&self, read: impl FnOnce(&Self) -> Result<T, Wrong>) -> Option<T> {
        match read(self) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.document.report(&self.span, self.path.clone(), wrong);
                None
            }
        }
    }

    /// It as a table.
    pub fn into_section(self) -> Option<Section<'d>> {
        match self.value {
            DeValue::Table(table) => {
                Some(Section { document: self.document, path: self.path, span: self.span, table, asked: vec![] })
            }
            _ => {
                let wrong = Wrong::new("must be a table", format!("write a header: [{}]", self.path));
                self.document.report(&self.span, self.path, wrong);
                None
            }
        }
    }

    /// Its elements with their places, when it is a list; itself alone, when it is not.
    pub fn elements<T>(&self, read: impl Fn(&Item<'_>) -> Result<T, Wrong>) -> Vec<Placed<T>> {
        let one = |item: &Item<'_>| {
            let value = item.read(&read)?;
            Some(Placed { value, path: item.path.clone(), span: item.span.clone() })
        };
        match &self.value {
            DeValue::Array(array) => array
                .iter()
                .enumerate()
                .filter_map(|(position, value)| {
                    one(&Item {
                        document: self.document,
                        path: format!("{}[{position}]", self.path),
                        span: value.span(),
                        value: value.get_ref().clone(),
                    })
                })
                .collect(),
            _ => one(self).into_iter().collect(),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A key as it is written in TOML.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if bare { key.to_owned() } else { format!("{key:?}") }
}
