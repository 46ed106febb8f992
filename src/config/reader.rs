//! Reads a document by asking for keys: every answer has its place in the file, every key that nobody asked for is a
//! finding, and reading goes on after a finding, so that all of them are told at once.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    document::{Document, Placed},
    finding::Wrong,
    suggestion::{did_you_mean, listed, quoted},
};

/// One table of the document.
#[derive(Debug)]
pub(super) struct Section<'d> {
    document: &'d Document<'d>,
    path: String,
    /// Its header; none when the table is missing.
    span: Option<Range<usize>>,
    table: DeTable<'d>,
    asked: Vec<&'static str>,
    /// Those of them that are in the table.
    had: Vec<&'static str>,
}

/// One value of the document, with its place.
#[derive(Debug)]
pub(super) struct Item<'d> {
    pub document: &'d Document<'d>,
    pub path: String,
    pub span: Range<usize>,
    pub value: DeValue<'d>,
}

impl<'d> Section<'d> {
    /// The top level.
    pub fn root(document: &'d Document<'d>, table: DeTable<'d>) -> Self {
        Self { document, path: String::new(), span: None, table, asked: Vec::new(), had: Vec::new() }
    }

    /// The value of a key, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.asked.push(key);
        let value = self.table.remove(key)?;
        self.had.push(key);
        let path = join(&self.path, key);
        Some(Item { document: self.document, path, span: value.span(), value: value.into_inner() })
    }

    /// Reads the value of a key, with its place; a problem becomes a finding.
    pub fn read_placed<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Item<'d>) -> Result<T, Wrong>,
    ) -> Option<Placed<T>> {
        let item = self.take(key)?;
        let value = item.read(read)?;
        Some(Placed { value, path: item.path, span: Some(item.span) })
    }

    /// As [`Section::read_placed`], with a default for what is missing or wrong.
    pub fn setting<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Item<'d>) -> Result<T, Wrong>,
    ) -> Placed<T> {
        self.read_placed(key, read).unwrap_or_else(|| Placed {
            value: default,
            path: join(&self.path, key),
            span: None,
        })
    }

    /// As [`Section::read_placed`], but the key must be there.
    pub fn require<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Item<'d>) -> Result<T, Wrong>,
    ) -> Option<Placed<T>> {
        self.require_item(key, example)?.placed(read)
    }

    /// The value of a key that must be there.
    pub fn require_item(&mut self, key: &'static str, example: &str) -> Option<Item<'d>> {
        let item = self.take(key);
        if item.is_none() {
            let place = if self.span.is_some() { String::new() } else { format!(" [{}]", self.path) };
            self.report(key, Wrong::new("is missing", format!("add for example:{place} {key} = {example}")));
        }
        item
    }

    /// The table of a key; one that is missing reads as an empty one.
    pub fn section(&mut self, key: &'static str) -> Section<'d> {
        let empty = Section {
            document: self.document,
            path: join(&self.path, key),
            span: None,
            table: DeTable::new(),
            asked: Vec::new(),
            had: Vec::new(),
        };
        self.optional_section(key).unwrap_or(empty)
    }

    /// The table of a key, if it is there.
    pub fn optional_section(&mut self, key: &'static str) -> Option<Section<'d>> {
        self.take(key)?.into_section()
    }

    /// The tables of a key written as `[[key]]`.
    pub fn sections(&mut self, key: &'static str) -> Vec<Section<'d>> {
        let Some(item) = self.take(key) else { return Vec::new() };
        if let DeValue::Array(_) = item.value {
            return item.into_items().into_iter().filter_map(Item::into_section).collect();
        }
        let header = without_positions(&item.path);
        let fix = format!("write its header with two brackets: [[{header}]]");
        item.document.report(Some(&item.span), item.path, Wrong::new("must be a list of tables", fix));
        Vec::new()
    }

    /// Every key of the table with its value, for tables whose keys are names of the user's choice.
    pub fn entries(self) -> Vec<(Placed<String>, Item<'d>)> {
        let (document, path) = (self.document, self.path);
        let mut entries: Vec<_> = self
            .table
            .into_iter()
            .map(|(key, value): (Spanned<_>, Spanned<_>)| {
                let path = join(&path, key.get_ref());
                let name =
                    Placed { span: Some(key.span()), path: path.clone(), value: key.into_inner().into_owned() };
                (name, Item { document, path, span: value.span(), value: value.into_inner() })
            })
            .collect();
        entries.sort_by_key(|(_, item)| item.span.start);
        entries
    }

    /// Whether a key that was asked for is in the table, whatever its value.
    pub fn has_had(&self, key: &str) -> bool {
        self.had.contains(&key)
    }

    /// A finding about a key that is missing in the table.
    pub fn report(&self, key: &str, wrong: Wrong) {
        self.document.report(self.span.as_ref(), join(&self.path, key), wrong);
    }

    /// A finding about the table itself.
    pub fn report_itself(&self, wrong: Wrong) {
        self.document.report(self.span.as_ref(), self.path.clone(), wrong);
    }

    /// The line of its header; of the file's first line when it is missing.
    pub fn line(&self) -> usize {
        self.span.as_ref().map_or(1, |span| self.document.line(span))
    }

    pub fn document(&self) -> &'d Document<'d> {
        self.document
    }

    /// Every key that nobody asked for is a finding.
    pub fn finish(self) {
        #[cfg(test)]
        self.document
            .asked
            .borrow_mut()
            .extend(self.asked.iter().map(|key| without_positions(&join(&self.path, key))));
        for key in self.table.keys() {
            let fix = match did_you_mean(key.get_ref(), self.asked.iter().copied()) {
                Some(near) => format!("did you mean {}?", quoted(near)),
                None => format!("remove it; known here: {}", listed(self.asked.iter().map(|&key| key.to_owned()))),
            };
            let path = join(&self.path, key.get_ref());
            self.document.report(Some(&key.span()), path, Wrong::new("unknown key", fix));
        }
    }
}

impl<'d> Item<'d> {
    /// Reads it; a problem becomes a finding.
    pub fn read<T>(&self, read: impl FnOnce(&Self) -> Result<T, Wrong>) -> Option<T> {
        match read(self) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.report(wrong);
                None
            }
        }
    }

    /// As [`Item::read`], with its place.
    pub fn placed<T>(self, read: impl FnOnce(&Self) -> Result<T, Wrong>) -> Option<Placed<T>> {
        let value = self.read(read)?;
        Some(Placed { value, path: self.path, span: Some(self.span) })
    }

    /// A finding about it.
    pub fn report(&self, wrong: Wrong) {
        self.document.report(Some(&self.span), self.path.clone(), wrong);
    }

    /// Whether it is a string.
    pub fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// Whether it is this string, or a list of it alone.
    pub fn is_only(&self, word: &str) -> bool {
        match &self.value {
            DeValue::String(written) => written == word,
            DeValue::Array(array) => {
                array.len() == 1 && array.iter().all(|it| matches!(it.get_ref(), DeValue::String(it) if it == word))
            }
            _ => false,
        }
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// It as a table.
    pub fn into_section(self) -> Option<Section<'d>> {
        let Self { document, path, span, value } = self;
        if let DeValue::Table(table) = value {
            return Some(Section { document, path, span: Some(span), table, asked: Vec::new(), had: Vec::new() });
        }
        let fix = format!("write a header: [{}]", without_positions(&path));
        document.report(Some(&span), path, Wrong::new("must be a table", fix));
        None
    }

    /// What it lists with the place of each; itself alone, when it is not a list. `none` is said of an empty one.
    pub fn elements<T>(self, none: &str, read: impl Fn(&Item<'_>) -> Result<T, Wrong>) -> Vec<Placed<T>> {
        self.each(none, |item| item.placed(&read))
    }

    /// As [`Item::elements`], for elements that are more than one value.
    pub fn each<T>(self, none: &str, read: impl Fn(Self) -> Option<Placed<T>>) -> Vec<Placed<T>> {
        if matches!(&self.value, DeValue::Array(array) if array.is_empty()) {
            self.report(Wrong::new("the list is empty", none));
        }
        self.into_items().into_iter().filter_map(read).collect()
    }

    /// As [`Item::elements`], where an empty list has a meaning.
    pub fn elements_or_none<T>(self, read: impl Fn(&Item<'_>) -> Result<T, Wrong>) -> Vec<Placed<T>> {
        self.into_items().into_iter().filter_map(|item| item.placed(&read)).collect()
    }

    fn into_items(self) -> Vec<Self> {
        let Self { document, path, span, value } = self;
        match value {
            DeValue::Array(array) => array
                .into_iter()
                .enumerate()
                .map(|(position, value)| {
                    let path = format!("{path}[{position}]");
                    Self { document, path, span: value.span(), value: value.into_inner() }
                })
                .collect(),
            value => vec![Self { document, path, span, value }],
        }
    }
}

/// A path one key longer; the key as it is written in TOML.
fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    let key = if bare && key.len() <= 64 { key.to_owned() } else { quoted(key) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// A path as it stands in a header: `isp[1].uplink` is `isp.uplink` there.
pub(super) fn without_positions(path: &str) -> String {
    let mut outside = true;
    path.chars()
        .filter(|letter| {
            outside &= *letter != '[';
            let kept = outside;
            outside |= *letter == ']';
            kept
        })
        .collect()
}
