//! Reads documents piece by piece and bounded: on a router with 128 MB, none is ever in memory as a whole.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    marker::PhantomData,
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::de::IoRead;

use super::refusal::{self, CatalogueError};

/// Bound of a document, in bytes after decompression; Microsoft's largest has 4 MB.
pub(super) const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Bound of one list of prefixes; Microsoft's longest has 12,209.
const MAX_LIST: usize = 250_000;

/// The parser of a document.
pub(super) type Json = serde_json::Deserializer<IoRead<BufReader<Bounded>>>;

/// A document that was opened, but not read.
pub(super) struct Document {
    /// File, or what stands for it in messages.
    pub origin: String,
    what: &'static str,
    reader: Box<dyn Read>,
}

impl Document {
    /// Opens a file, gunzipped when its name ends in `.gz`; `what` says what it should be.
    pub fn open(file: &Path, what: &'static str) -> Result<Self, CatalogueError> {
        let origin = file.display().to_string();
        let opened = match File::open(file) {
            Ok(opened) => opened,
            Err(error) => return Err(unreadable(&origin, &error, what)),
        };
        let zipped = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let reader: Box<dyn Read> =
            if zipped { Box::new(MultiGzDecoder::new(BufReader::new(opened))) } else { Box::new(opened) };
        Ok(Self { origin, what, reader })
    }

    /// A document inside the binary.
    pub fn bundled(origin: &str, what: &'static str, text: &'static str) -> Self {
        Self { origin: origin.to_owned(), what, reader: Box::new(text.as_bytes()) }
    }

    /// Reads all of it.
    pub fn read<T>(self, read: impl FnOnce(&mut Json) -> serde_json::Result<T>) -> Result<T, CatalogueError> {
        let mut reader = BufReader::new(Bounded { reader: self.reader, left: MAX_BYTES });
        // Windows tools write a byte order mark before JSON.
        let marked = reader.fill_buf().map_err(|error| unreadable(&self.origin, &error, self.what))?;
        if marked.starts_with(b"\xEF\xBB\xBF") {
            reader.consume(3);
        }
        let mut json = Json::from_reader(reader);
        read(&mut json)
            .and_then(|value| json.end().map(|()| value))
            .map_err(|error| not_json(&self.origin, error, self.what))
    }
}

/// A reader that fails beyond a number of bytes, instead of ending there as if the document did.
pub(super) struct Bounded {
    reader: Box<dyn Read>,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(into)?;
        self.left = self.left.checked_sub(length as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(length)
    }
}

/// What a parser's error means to the owner of the file.
fn not_json(origin: &str, error: serde_json::Error, what: &str) -> CatalogueError {
    if error.is_io() {
        return unreadable(origin, &error.into(), what);
    }
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

fn unreadable(origin: &str, error: &io::Error, what: &str) -> CatalogueError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            CatalogueError::new(origin, "is compressed and ends too early", "download it again, whole")
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            CatalogueError::new(origin, format!("cannot be decompressed: {error}"), "download it again, whole")
        }
        io::ErrorKind::FileTooLarge => CatalogueError::new(
            origin,
            format!("has more than {} MiB", MAX_BYTES / 1024 / 1024),
            format!("name a file with {what}"),
        ),
        _ => CatalogueError::new(
            origin,
            format!("cannot be read: {error}"),
            format!("name a readable file with {what}"),
        ),
    }
}

/// Hands on each element of a JSON list as it is read. After a refusal it only reads to the end, so that a document
/// that is cut off says so first.
pub(super) struct Each<T, F> {
    what: &'static str,
    take: F,
    element: PhantomData<T>,
}

/// See [`Each`].
pub(super) fn each<T, F: FnMut(T) -> Result<(), CatalogueError>>(what: &'static str, take: F) -> Each<T, F> {
    Each { what, take, element: PhantomData }
}

impl<'de, T, F> DeserializeSeed<'de> for Each<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), CatalogueError>,
{
    type Value = Result<(), CatalogueError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T, F> Visitor<'de> for Each<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(T) -> Result<(), CatalogueError>,
{
    type Value = Result<(), CatalogueError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
        while let Some(element) = list.next_element()? {
            if let Err(refusal) = (self.take)(element) {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }
}

/// A JSON list of prefixes, each checked as it is read; or the first refusal.
#[derive(Debug)]
pub(super) struct Prefixes(pub Result<Vec<IpNet>, String>);

impl Default for Prefixes {
    fn default() -> Self {
        Self(Ok(Vec::new()))
    }
}

impl<'de> Deserialize<'de> for Prefixes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PrefixList)
    }
}

struct PrefixList;

impl<'de> Visitor<'de> for PrefixList {
    type Value = Prefixes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of prefixes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Prefixes, A::Error> {
        let mut prefixes = Vec::new();
        while let Some(checked) = list.next_element_seed(OnePrefix)? {
            let room = || (prefixes.len() < MAX_LIST).then_some(()).ok_or("lists too many prefixes".to_owned());
            match checked.and_then(|prefix| room().map(|()| prefix)) {
                Ok(prefix) => prefixes.push(prefix),
                Err(refusal) => {
                    while list.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(Prefixes(Err(refusal)));
                }
            }
        }
        Ok(Prefixes(Ok(prefixes)))
    }
}

/// One prefix, parsed from the reader's own buffer.
struct OnePrefix;

impl<'de> DeserializeSeed<'de> for OnePrefix {
    type Value = Result<IpNet, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for OnePrefix {
    type Value = Result<IpNet, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prefix")
    }

    fn visit_str<E>(self, written: &str) -> Result<Self::Value, E> {
        Ok(refusal::prefix(written))
    }
}
