//! `[destinations]`: where the lists of Microsoft's prefixes come from, and what of them is steered.

use std::path::PathBuf;

use ipnet::IpNet;

use crate::domain::Category;

/// Which Microsoft prefixes are known and which of them are steered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destinations {
    /// Microsoft 365 endpoints.
    pub microsoft365: Microsoft365,
    /// Azure service tags.
    pub service_tags: Option<ServiceTags>,
    /// Own lists.
    pub static_lists: Vec<StaticList>,
}

/// `[destinations.microsoft365]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Microsoft365 {
    /// Where the endpoints come from.
    pub source: Microsoft365Source,
    /// Service areas that are steered, lower case; all when empty.
    pub services: Vec<String>,
    /// Categories that are steered.
    pub categories: Vec<Category>,
}

/// Where Microsoft 365 endpoints come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Microsoft365Source {
    /// The snapshot inside the binary.
    Bundled,
    /// A file with an answer of the endpoints web service.
    File(PathBuf),
    /// None are used.
    Off,
}

/// `[destinations.service_tags]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTags {
    /// A "Service Tags – Public" file.
    pub file: PathBuf,
    /// Tags that are steered, as named in the file (`AzureCloud.japaneast`), case-insensitive.
    pub tags: Vec<String>,
    /// Whether what a tag lists is decided for each Azure region apart.
    pub by_region: bool,
}

/// One `[[destinations.static]]` list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticList {
    /// Name; becomes the service of its destinations.
    pub name: String,
    /// Prefixes, host bits zero.
    pub prefixes: Vec<IpNet>,
}
