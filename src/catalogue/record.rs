//! One line of a source.

use std::{fmt, sync::Arc};

use ipnet::IpNet;

use crate::{
    config::StaticList,
    domain::{Category, ClassId, Family, Source},
};

/// A prefix, and what one source says of it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub prefix: IpNet,
    pub source: Source,
    pub service: Arc<str>,
    pub category: Option<Category>,
    pub region: Option<Arc<str>>,
    /// Order among records of one source and category; lower is more to the point.
    pub rank: u32,
    /// The class it belongs to, if the owner steers it.
    pub steered: Option<Arc<ClassKey>>,
}

/// What makes destinations one class, but for the family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClassKey {
    /// Start of the class's name: `m365.exchange`, `azure.azurecloud.japaneast`, `static.lab`.
    pub stem: String,
    pub service: String,
    pub region: Option<String>,
}

impl ClassKey {
    pub fn id(&self, family: Family) -> ClassId {
        ClassId::new(&format!("{}.{family}", self.stem))
    }
}

impl Record {
    /// Trust, most trusted first.
    pub fn precedence(&self) -> (Source, Option<Category>, u32) {
        (self.source, self.category, self.rank)
    }
}

impl fmt::Display for ClassKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stem)
    }
}

/// All of a list is steered: that is what it is for.
pub(super) fn of_static_list(list: &StaticList) -> Vec<Record> {
    let service: Arc<str> = list.name.as_str().into();
    let key = Arc::new(ClassKey { stem: format!("static.{}", list.name), service: list.name.clone(), region: None });
    list.prefixes
        .iter()
        .map(|prefix| Record {
            prefix: *prefix,
            source: Source::Static,
            service: Arc::clone(&service),
            category: None,
            region: None,
            rank: 0,
            steered: Some(Arc::clone(&key)),
        })
        .collect()
}
