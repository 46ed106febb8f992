//! Opens sources, bounded, and says what is refused.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::GzDecoder;
use ipnet::IpNet;
use serde::de::DeserializeOwned;

use crate::domain::reserved;

/// Bound of a document, in bytes after decompression; Microsoft's largest has 4 MB.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Shortest prefixes that any of Microsoft's documents could list; anything shorter is a mistake.
const SHORTEST_IPV4: u8 = 8;
const SHORTEST_IPV6: u8 = 16;

/// Why a source was refused.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {problem}; {fix}")]
pub struct CatalogueError {
    /// File, or `bundled snapshot`.
    pub origin: String,
    /// What is wrong, and where in the document.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl CatalogueError {
    pub(super) fn new(origin: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { origin: origin.to_owned(), problem: problem.into(), fix: fix.into() }
    }
}

/// Reads a JSON document from a file, gunzipped when its name ends in `.gz`.
pub(super) fn read_json<T: DeserializeOwned>(file: &Path, what: &str) -> Result<T, CatalogueError> {
    let origin = file.display().to_string();
    let reader = open(file).map_err(|error| {
        CatalogueError::new(&origin, format!("cannot be read: {error}"), format!("name a readable file with {what}"))
    })?;
    let mut reader = BufReader::new(reader.take(MAX_BYTES + 1));
    // Windows tools write a byte order mark before JSON.
    if reader.fill_buf().is_ok_and(|start| start.starts_with(b"\xEF\xBB\xBF")) {
        reader.consume(3);
    }
    serde_json::from_reader(reader).map_err(|error| not_json(&origin, &error, what))
}

fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    let opened = BufReader::new(File::open(file)?);
    let zipped = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    Ok(if zipped { Box::new(GzDecoder::new(opened)) } else { Box::new(opened) })
}

/// What a parser's error means to the owner of the file.
pub(super) fn not_json(origin: &str, error: &serde_json::Error, what: &str) -> CatalogueError {
    if error.is_eof() {
        let problem = if error.line() <= 1 && error.column() == 0 {
            "is empty".to_owned()
        } else {
            format!("ends too early, at line {}", error.line())
        };
        return CatalogueError::new(origin, problem, "download it again, whole");
    }
    CatalogueError::new(origin, format!("is not {what}: {error}"), "download it again from Microsoft")
}

/// Reads a prefix and refuses what can never be Microsoft's to have.
pub(super) fn prefix(origin: &str, place: &str, written: &str) -> Result<IpNet, CatalogueError> {
    let refuse = |problem: String| {
        CatalogueError::new(
            origin,
            format!("{place}: {problem}"),
            "do not use this file; get it again from Microsoft",
        )
    };
    let net: IpNet = written.parse().map_err(|_| refuse(format!("\"{written}\" is not a prefix")))?;
    if let Some(what) = reserved(net) {
        return Err(refuse(format!("{written} is {what}")));
    }
    if net.trunc() != net {
        return Err(refuse(format!("{written} has bits beyond its length")));
    }
    let shortest = if net.addr().is_ipv4() { SHORTEST_IPV4 } else { SHORTEST_IPV6 };
    if net.prefix_len() < shortest {
        return Err(refuse(format!("{written} is larger than any network of Microsoft's")));
    }
    Ok(net)
}

/// The remedy for a name that the document does not know.
pub(super) fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let folded = name.to_lowercase();
    known
        .map(|known| (strsim::jaro_winkler(&folded, &known.to_lowercase()), known))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or_else(|| "remove it".to_owned(), |(_, near)| format!("did you mean \"{near}\"?"))
}
