//! What is refused, and how it is said: what, where in the source, and what to do.

use ipnet::IpNet;

use crate::domain::reserved;

/// Shortest prefixes that any of Microsoft's documents could list; anything shorter is a mistake.
const SHORTEST_IPV4: u8 = 8;
const SHORTEST_IPV6: u8 = 16;

/// Names become parts of class names, telemetry series and output; the longest of Microsoft's has 47 characters.
const LONGEST_NAME: usize = 128;

/// How alike two names must be for one to be meant by the other.
const ALIKE: f64 = 0.85;

/// The most names that are listed in a message.
const MOST_NAMES: usize = 8;

/// Why a source was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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

    /// The document says what Microsoft's never does.
    pub(super) fn unsound(origin: &str, problem: impl Into<String>) -> Self {
        Self::new(origin, problem, "do not use this file; get it again from Microsoft")
    }
}

/// Reads a prefix and refuses what can never be Microsoft's to have.
///
/// Bits beyond the length are refused, not cleared: Microsoft lists none, so whoever wrote them meant something else.
pub(super) fn prefix(written: &str) -> Result<IpNet, String> {
    let net: IpNet = written.parse().map_err(|_| format!("\"{}\" is not a prefix", excerpt(written)))?;
    if let Some(what) = reserved(net) {
        return Err(format!("{written} is {what}"));
    }
    if net.trunc() != net {
        return Err(format!("{written} has bits beyond its length"));
    }
    let shortest = if net.addr().is_ipv4() { SHORTEST_IPV4 } else { SHORTEST_IPV6 };
    if net.prefix_len() < shortest {
        return Err(format!("{written} is larger than any network of Microsoft's"));
    }
    Ok(net)
}

/// Refuses names that could not stand in a class name.
pub(super) fn name(written: &str) -> Result<&str, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if written.is_empty() || written.len() > LONGEST_NAME || !written.chars().all(plain) {
        return Err(format!("\"{}\" is not a name", excerpt(written)));
    }
    Ok(written)
}

/// The start of a text from outside, harmless on a terminal.
fn excerpt(written: &str) -> String {
    written.chars().take(64).flat_map(char::escape_debug).collect()
}

/// The remedy for a name that the document does not know.
pub(super) fn suggest<'a>(name: &str, known: impl ExactSizeIterator<Item = &'a str> + Clone) -> String {
    let folded = name.to_lowercase();
    let nearest = known
        .clone()
        .map(|known| (strsim::jaro_winkler(&folded, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match nearest {
        Some((_, near)) => format!("did you mean \"{near}\"?"),
        None if known.len() <= MOST_NAMES => {
            let all: Vec<String> = known.map(|known| format!("\"{known}\"")).collect();
            format!("use one of {}", all.join(", "))
        }
        None => "use a name that is in the file, or remove it".to_owned(),
    }
}
