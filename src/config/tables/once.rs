//! Names that may be used once only.

use std::collections::BTreeMap;

use crate::config::{
    document::{Document, Placed},
    finding::Wrong,
    suggestion::quoted,
};

/// A finding for each name that was used before; `what` it names, and what to do.
pub(super) fn once<'n>(
    document: &Document<'_>,
    names: impl IntoIterator<Item = &'n Placed<String>>,
    what: &str,
    fix: &str,
) {
    let mut seen: BTreeMap<&str, &Placed<String>> = BTreeMap::new();
    for name in names {
        match seen.get(name.value.as_str()) {
            Some(first) => {
                let problem = format!("{what} {} stands at {} already", quoted(&name.value), first.path);
                name.report(document, Wrong::new(problem, fix));
            }
            None => {
                seen.insert(&name.value, name);
            }
        }
    }
}
