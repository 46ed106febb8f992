//! Names that iproute2's files give to numbers of tables and of route protocols.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

/// Bound of one file, in bytes; iproute2's own have some hundred.
pub(super) const MOST_BYTES: u64 = 64 * 1024;
/// Bound of files in one folder.
pub(super) const MOST_FILES: usize = 256;

/// A number and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Number of the table or protocol.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// File that says so.
    pub file: String,
}

/// Names of tables and protocols.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// `rt_tables`.
    pub tables: Vec<Name>,
    /// `rt_protos`.
    pub protocols: Vec<Name>,
}

impl Names {
    /// Reads the files under a root folder (`/` on a router); what is missing has no names.
    pub fn read(root: &Path) -> Self {
        Self { tables: named(root, "rt_tables"), protocols: named(root, "rt_protos") }
    }
}

/// The administrator's files, and those that iproute2 6.7 and newer keep out of `/etc`.
fn named(root: &Path, what: &str) -> Vec<Name> {
    let mut names = Vec::new();
    for folder in ["etc/iproute2", "usr/share/iproute2", "usr/lib/iproute2"] {
        let main = Path::new(folder).join(what);
        let dropped = drop_ins(root, &Path::new(folder).join(format!("{what}.d")));
        for file in [main].into_iter().chain(dropped) {
            if let Some(text) = text(&root.join(&file)) {
                names.extend(parse(&text, &format!("/{}", file.display())));
            }
        }
    }
    names
}

/// The `.conf` files of a folder, sorted; paths are relative to the root.
pub(super) fn drop_ins(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .take(MOST_FILES)
        .filter_map(|entry| Some(folder.join(entry.ok()?.file_name())))
        .filter(|file| file.extension().is_some_and(|extension| extension == "conf"))
        .collect();
    files.sort();
    files
}

/// The text of a regular file (or of an empty device, which masks one), up to the bound.
pub(super) fn text(file: &Path) -> Option<String> {
    // A pipe in its place would never end.
    let metadata = fs::metadata(file).ok()?;
    if !metadata.is_file() {
        return (fs::canonicalize(file).ok()? == Path::new("/dev/null")).then(String::new);
    }
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(text: &str, file: &str) -> Vec<Name> {
    let name = |line: &str| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let number = words.next()?;
        let number = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        Some(Name { number, name: words.next()?.to_owned(), file: file.to_owned() })
    };
    text.lines().filter_map(name).collect()
}
